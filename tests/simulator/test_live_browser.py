"""The live view in a real Chromium: enrol, run to the next prompt, answer it by clicking; pictures in build/live/."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES = ROOT / "build" / "live"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,800",
         "--force-prefers-reduced-motion")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed here")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """`python -m simulator live` on any port, paused."""
    process = subprocess.Popen([sys.executable, "-m", "simulator", "live", "--port", "0", "--speed", "pause", "--out",
                                tmp_path_factory.mktemp("live")], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    found = re.match(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
    assert found
    yield found.group()
    process.terminate()
    assert process.wait(timeout=20) == 0


@pytest.fixture(scope="module")
def page(address, tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False})
    PICTURES.mkdir(parents=True, exist_ok=True)
    yield Page(driver, address)
    driver.quit()


class Page:
    """What a visitor can do and see."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address
        driver.get(address)
        self.until(lambda: self.text("clock") != "--:--:--")

    def until(self, condition, timeout_s=60):
        WebDriverWait(self.driver, timeout_s, 0.1).until(lambda driver: condition())

    def find(self, name):
        return self.driver.find_element(By.ID, name)

    def text(self, name):
        return self.find(name).text

    def button(self, words):
        return self.driver.find_element(By.XPATH, f"//button[normalize-space()='{words}']")

    def speed(self, name):
        self.driver.find_element(By.CSS_SELECTOR, f"[name=speed][value='{name}']").click()

    def fast_until(self, condition):
        """As fast as it goes, again after each time that the screen lights up and slows it."""
        def is_there():
            is_slow = self.speed_is("1")
            if condition():
                return True
            if is_slow:
                self.speed("max")
            return False

        self.until(is_there, 300)  # hours of a day, on a machine that may be busy

    def speed_is(self, name):
        return self.driver.find_element(By.CSS_SELECTOR, f"[name=speed][value='{name}']").is_selected()

    def console(self, line):
        self.find("entry").send_keys(line, Keys.ENTER)

    def slide(self, name, value):
        self.driver.execute_script("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))",
                                   self.find(f"set-{name}"), value)

    def picture(self, name):
        self.driver.save_screenshot(str(PICTURES / f"{name}.png"))


def test_a_visitor_enrols_and_answers_the_next_prompt_by_clicking(page):
    assert page.text("pace") == "paused"
    page.picture("begin")
    page.console("enrol")
    page.until(lambda: "Enrol your face?" in page.text("words"))
    page.until(lambda: "the wearer is asked" in page.text("output"))
    page.button("Press (boot)").click()
    page.until(lambda: "Press: yes" in page.text("words"))
    page.picture("enrol")
    page.button("Press (boot)").click()
    page.until(lambda: "Enrolled. Thank you" in page.text("words"))
    page.fast_until(lambda: "Check-in. Press and look" in page.text("words"))
    assert page.speed_is("1")  # time slowed down by itself
    assert re.fullmatch(r"Check-in\. Press and look\. 1[45] min left", page.text("words"))
    page.until(lambda: page.find("preview").get_property("naturalWidth") == 240)
    page.until(lambda: page.text("clock") > "09:49:59")  # the screen has blinked
    page.picture("prompt")
    page.button("Press (boot)").click()
    page.until(lambda: "Thank you. All done" in page.text("words"))
    page.until(lambda: "check-in: matched" in page.text("records"))
    page.picture("matched")


def test_faults_and_errors_are_seen_on_the_page(page):
    page.find("network-down").click()
    page.until(lambda: page.text("network").startswith("down"))
    Select(page.find("fault")).select_by_value("not-found")
    page.until(lambda: "Camera: not-found" in page.text("events"))
    Select(page.find("source")).select_by_value("path")
    page.find("value").clear()
    page.find("value").send_keys("/nowhere.jpg", Keys.ENTER)
    page.until(lambda: page.text("problem") == "/nowhere.jpg: source: no such file or folder on this machine")
    page.slide("yaw", 20)
    Select(page.find("source")).select_by_value("person")
    page.until(lambda: page.text("problem") == "")
    page.console("prompt now")
    page.until(lambda: "Check-in" in page.text("words"))
    page.button("Press (boot)").click()
    page.until(lambda: "Not possible. The watch could not do it" in page.text("words"))
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    page.picture("faults")
    page.button("Cut the power").click()
    page.until(lambda: "Boot: power" in page.text("events").split("Power cut")[0])


def test_the_page_can_be_used_without_a_mouse(page):
    """Tab reaches the controls in the order of the page, and each of them has a name."""
    names = []
    page.find("name").click()  # the way to the first control starts here
    for _ in range(36):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        focused = page.driver.switch_to.active_element
        names.append(focused.accessible_name)
        assert focused.tag_name == "body" or names[-1]
    order = ["Next event", "Press (boot)", "Who", "Show", "Light", "Network: down", "GNSS", "Button stuck", "Reset",
             "Command"]
    found = [name for name in names if name in order]
    assert list(dict.fromkeys(found)) == order, f"{names}"


def test_nothing_is_asked_of_another_host_and_the_browser_has_no_complaint(page):
    asked = page.driver.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert asked and all(name.startswith(page.address) for name in asked)
    complaints = [entry["message"] for entry in page.driver.get_log("browser")]
    assert [text for text in complaints if "command - Failed to load resource" not in text] == []
