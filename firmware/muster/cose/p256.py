"""NIST P-256: ECDSA with the deterministic nonces of RFC 6979, and ECDH (SEC 1 version 2).

Every product k * P goes over a signed comb of P: k, made odd, is written with digits +1 and -1 only, 6 rows of 43
columns, so 42 doublings and 43 additions of a point of a 32-point table make it, whatever k is. The table of the base
point is below; that of another point costs three products to make, and those of the last two points are kept (2 KB
each).

What an observer of time or power can learn: the sequence of operations is the same for every secret, the
coordinates are blinded, and so is the nonce before its inversion, but Python's big integers take a time that varies a
little with their values, and a table entry is read at an address that depends on the secret.
"""

from binascii import a2b_base64
from hashlib import sha256

import micropython
from micropython import const

from muster.cose.hmac import hmac_sha256

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_COLUMNS = const(43)
_ROWS = const(6)
_BITS = const(258)
_ENTRIES = const(32)
_INFINITY = (1, 1, 0)

# `_comb` of the base point.
_BASE = a2b_base64(
    "FuSr5gxLGKR2/asNtZwaw3Z4VbQRi+ARO9BLtnnxlS0suZz8hQZ16PuNtY7IwsIWwftXdA+491TEcWN506WvXfAOQzljSh0opdFBv8JkQjzyX3y8"
    "FVTD0MgD1gYJDQkqUBPh4H2zQn+m6E8EilWd+4mcfL4U2kFjBA8HUsxHybp54+sQQXEjFTS1ZC7GUcUqzGfSBbFrWkdvvYT0PpMFdsb4mQwVI1NK"
    "ESLwkY+pqHMJZsU9QVlzhi2la3MJ+HpZcIu4+FH+e45vhUs9mmie9PPEs7AGBIgc3FKUXEssfLUG2nruO8xsT6fLU7GbUzhsawXv0dc8GJYc9Gj/"
    "6HyQvGubORmynFbv5J2hjHlLVXI05upVU6HKvBUwwjnPcl1xh+Hw7sPi3fpkVc4GkDoUrg+HjYdTUMiNnNKLPyGOdAqhitoBtFnyjpOzZKqve8Ut"
    "bgPRMF16+jh0fphFAHJk/hWaTMyNJtvsqqirsCjOHuFHvkSado8oESRlrVRGtZiGS69N+Op5N3uiNaJhCeN4fMhESfI+V2Dc46wOuQEY5UtyHWZK"
    "kIxwuaz+kOxE3JrjB2skXUnw6PCNnY3EeHulY28IsYYf/54l+WnOK8ZNfzZl5WEg2uoFrCNEXT/C6Fn7qUAbszzT2xrB4xovBc+lCx0KDZ+DPN2w"
    "z1HpKK4wNi+/s0L9yhiwfTJUCOBdUwJHWpoypRJPItVtfD+nf4JEDDGXUAX7jKPX+wwGN1tVmWgLUDktDnuUfJ/FjyQw3IzMcLbGJ6Jb1pnYrvPv"
    "sDBUeo0gVsph3DfyruUT4YqTzmKBrxukBNGtndT5LKQoRzgtLtc4yWD/9Alf7j1DbDOS7l5lT8Wwmb7XCjhRMK8sH4goeV/w3WLqQIIzSwP59I3x"
    "VNvabqInGCo3bCkVV2vLbvK3W1UJ/LG0R1k65Yoci3I7QRyLZLHxAwwk9PMFJ7fe9dJt1FeJbg9q/PKn4qM34T6T+I4wLKu+3/hTPExrzZaS5Jk0"
    "bZjxZMlgol3JH7jjxfOhwzlkV+hB0yC3ipjTmh6WlU4nV+B5JopSNPrjANppuoe4aBojBH7EWrNcA98P1BaZeEOTtfY47aHxL3igpgEHisHRz8xd"
    "6iC7tk5XLOiFIvTIxrQWGiFrDlEsblfL7/Ykx9D7ChB4GDrsdPohrPErLmDQxv3TUCLQlL7QHSVFFATsdwcRBDfwJwxcOt7MtKZ1N9nnWwnzBg/v"
    "TDs59/jUzIJuLyKdnmy2fRkgVULloZt2j0U4uAM0FUpG1lRIaTml5P2elmuciz0mKvqz1awN7UCTjWdMQJOowzdaVLcOQZ0pGsPnRIf96Vyh9ADZ"
    "OxIzXj4E1KePu7hDYlLrqoGwV4rmIuDt7klJ/M+AACaZtk3/xYY2GMOvDzjURpvzKEdoex3I5qyhbO7Xzz2QrIUmgjwM2+HGFocqXqTWu6zgALt/"
    "oR+0wWPraa1PagV11I2ZgVF/p8QIKMPm+traMB4rQgJQMRT2dhLG3DcaRckT6pNZEOnvXexT8orWH/KXPhPkM1k+itcgv4IlUCoXXZRdfCJpELBz"
    "0SOeCxp9tiRC1dy5kfkVolAwVaSWMppknN5XB7+BZiNoarMn14DyUzkc/VWN6B9KcCiJU4Gflgb5UcZJd/YDebkNIELx9574O7LFvKvZxU0z+25m"
    "tBzjhr8XFiDBjta3sv0eDC+Noz7vpR66ITJsi25omx5jOKSWaiCtmC5TkzkWyQ3CEx/HEam7U0AYFDH0EFQIS7x5tK3V4DvPonwAmFBz/mcSFCE3"
    "6Ayzhqwu9INzytW1aj7pCxJzeJLsAK2Ap6s5XaAoWgxQXDtTGveO6dKgt/3SDU4Ed4rX14j44M+VcaAeJSeZ93/iYCuU0XyPwPcn34Ux+FWXJLUw"
    "UDRbeg5HtxSuwZPXRUCRpowsdTypwH1666ZiP/SuMpPYqU/8tZrs8POmfwGUNW47S29xVyaBWgSmLrAyHxcbEk+foA++MiEdN/QqdWKY4nU8VjN1"
    "SPSsz5wXCZGAvz7Lvv3qAALSb5erZVonfQK/yVOlWX+BT82Toz8CGnrDa2DyVElGy/7Zyfy+uAFyAnN56sWiet8UYi1kaS/0X2DAORPaW/0mv6eC"
    "xP1w19L/Bz+kgga1eqeDJr3nAzgERc+vPwXhBDRUDbE6d9yT6pcABg9KPDStltDaWB3DwQjDSErS7Lmg+8Xc3C4PLR2d9jeAOYtQMWOdr1qDUfCL"
    "fdT4a3Ikh/EgtCNHBs83U89D3xrjZalTugNQGGTQtjeBMGlEWuAnpSZMuB2co8SRLnVO7WSE1RM7hTfTiSw/bFl80BuYeG8BX0JHB0SgHjsf8wuW"
    "LDxnBKkTQ706KcgfIeqeOg02bUFOaF1Jg9kQJFMIBRtcv1sRpZClvTv9i1nWByxq6jPS7L9RCcnvPQyk5KR2CEJyOQemVby0YJTp9BNfayeoggcb"
    "f6SQozLVGYX+sqyiNLluvTXW9TDNv5wFrdQfOLVrhoxwAtylVFQOmfs2LCNrMD6FChZodPLGc43m2ObWA6TA7tLvp0K8Iq4brLQaVE1wvHbWS4Ia"
    "kMnjTWAb08wov06O0i4bkJxAJf1XNZkjey5i1Ya6cOYUsnPRSEMXHkQATKiPf4qGksEcgSUYNzQzx1Rt5sDhLbtYDJpPH7LWOtorU7nkN/SvzCvv"
    "Ux8wf7SPIfIqDHp+nOb0nyy5ubOhha5GqxLZD7/ZL7k="
)


class P256Error(Exception):
    """A key, digest or point that is none."""


_combs: dict = {}


def public_key(private: bytes) -> bytes:
    """The public key of the 32-byte `private` key: 65 bytes, uncompressed. P256Error when it is not 1 to n - 1."""
    x, y = _affine([_multiply([(_BASE, _scalar(private))], _blind(private))])[0]
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def shared_secret(private: bytes, public: bytes) -> bytes:
    """ECDH: the 32-byte x of private * public. P256Error for a private key out of range or a point off the curve."""
    x, _ = _affine([_multiply([(_comb_of(public), _scalar(private))], _blind(private))])[0]
    return x.to_bytes(32, "big")


def sign(private: bytes, digest: bytes) -> bytes:
    """The 64-byte signature r || s of a SHA-256 `digest`: always the same for the same two."""
    secret = _scalar(private)
    value = _digest(digest)
    numbers = _numbers(private, value)
    nonce, blind, factor = next(numbers), next(numbers), next(numbers)
    x, _ = _affine([_multiply([(_BASE, nonce)], blind)])[0]
    r = x % _N
    # s = (value + r * secret) / nonce, both sides of the division multiplied by `factor`.
    s = (value * factor + r * (secret * factor % _N)) * _inverse(nonce * factor % _N, _N) % _N
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether `signature` (r || s) over the SHA-256 `digest` is by `public`. P256Error when the key is no point."""
    comb = _comb_of(public)
    value = _digest(digest)
    if len(signature) != 64:
        return False
    r, s = _integer(signature[:32]), _integer(signature[32:])
    if not (0 < r < _N and 0 < s < _N):
        return False
    inverse = _inverse(s, _N)
    point = _multiply([(_BASE, value * inverse % _N), (comb, r * inverse % _N)], 1)
    return point[2] != 0 and _affine([point])[0][0] % _N == r


def _integer(raw) -> int:
    return int.from_bytes(raw, "big")


def _scalar(private: bytes) -> int:
    scalar = _integer(private)
    if len(private) != 32 or not 0 < scalar < _N:
        raise P256Error("the private key is not 32 bytes of 1 to n - 1")
    return scalar


def _digest(digest: bytes) -> int:
    if len(digest) != 32:
        raise P256Error("the digest is not 32 bytes")
    return _integer(digest) % _N


def _point(public: bytes) -> tuple:
    x, y = _integer(public[1:33]), _integer(public[33:])
    if len(public) != 65 or public[0] != 4 or x >= _P or y >= _P or (x * (x * x - 3) + _B - y * y) % _P:
        raise P256Error("the public key is not an uncompressed point of P-256")
    return x, y


def _numbers(private: bytes, value: int):
    """The numbers 1 to n - 1 that RFC 6979 section 3.2 tries in turn; those after the nonce serve as blinds."""
    seed = private + value.to_bytes(32, "big")
    state = b"\x01" * 32
    key = bytes(32)
    for mark in (b"\x00", b"\x01"):
        key = hmac_sha256(key, state, mark, seed)
        state = hmac_sha256(key, state)
    while True:
        state = hmac_sha256(key, state)
        number = _integer(state)
        if 0 < number < _N:
            yield number
        key = hmac_sha256(key, state, b"\x00")
        state = hmac_sha256(key, state)


def _blind(private: bytes) -> int:
    return _integer(sha256(b"blind" + private).digest()) % _P


def _inverse(x: int, modulus: int) -> int:
    """By Euclid: seven times faster than a power, but its steps depend on x, so a secret x comes blinded."""
    old, new, a, b = modulus, x, 0, 1
    while new:
        quotient = old // new
        old, new = new, old - quotient * new
        a, b = b, a - quotient * b
    return a % modulus


# Points are Jacobian, (x, y, z) for (x / z**2, y / z**3), z = 0 at infinity; affine ones are (x, y).


def _double(x: int, y: int, z: int) -> tuple:
    zz = z * z % _P
    yy = y * y % _P
    slope = 3 * (x - zz) * (x + zz) % _P
    xyy = 4 * x * yy % _P
    x = (slope * slope - 2 * xyy) % _P
    return x, (slope * (xyy - x) - 8 * yy * yy) % _P, 2 * y * z % _P


def _add(point: tuple, x2: int, y2: int) -> tuple:
    """`point` and the affine (x2, y2). The special cases come up only for small or chosen scalars."""
    x, y, z = point
    if not z:
        return x2, y2, 1
    zz = z * z % _P
    width = (x2 * zz - x) % _P
    height = (y2 * z % _P * zz - y) % _P
    if not width:
        return _INFINITY if height else _double(x, y, z)
    square = width * width % _P
    cube = width * square % _P
    x = x * square % _P
    x3 = (height * height - cube - 2 * x) % _P
    return x3, (height * (x - x3) - y * cube) % _P, z * width % _P


def _affine(points: list) -> list:
    """The points, none at infinity, as affine ones, with one inversion for all."""
    products = [1]
    for point in points:
        products.append(products[-1] * point[2] % _P)
    inverse = _inverse(products.pop(), _P)
    out = []
    for x, y, z in reversed(points):
        z1 = inverse * products.pop() % _P
        inverse = inverse * z % _P
        zz = z1 * z1 % _P
        out.append((x * zz % _P, y * zz % _P * z1 % _P))
    out.reverse()
    return out


def _comb(x: int, y: int) -> bytes:
    """The table of a point Q: x || y of 2**215 Q + sum of (+ where bit i of the index is set, else -) 2**(43 i) Q."""
    teeth = [(x, y, 1)]
    while len(teeth) < _ROWS:
        point = teeth[-1]
        for _ in range(_COLUMNS):
            point = _double(*point)
        teeth.append(point)
    affine = _affine(teeth + [_double(*point) for point in teeth[:-1]])
    point = affine[_ROWS - 1] + (1,)
    for x, y in affine[: _ROWS - 1]:
        point = _add(point, x, _P - y)
    table = [point]
    for x, y in affine[_ROWS:]:
        table += [_add(point, x, y) for point in table]
    return b"".join([x.to_bytes(32, "big") + y.to_bytes(32, "big") for x, y in _affine(table)])


def _comb_of(public: bytes) -> bytes:
    comb = _combs.get(public)
    if comb is None:
        comb = _comb(*_point(public))
        if len(_combs) == 2:
            _combs.pop(next(iter(_combs)))
        _combs[bytes(public)] = comb
    return comb


@micropython.viper
def _read_columns(scalar, out):
    """Writes the 43 columns of the little-endian scalar: 6 bits each, row 5 topmost."""
    octets = ptr8(scalar)
    columns = ptr8(out)
    for column in range(43):
        digits = 0
        bit = column
        for row in range(6):
            digits |= (octets[bit >> 3] >> (bit & 7) & 1) << row
            bit += 43
        columns[column] = digits


def _columns(scalar: int) -> tuple:
    """The columns of `scalar` or, were it even, of n less it, with bits 0 and 1 for the digits -1 and +1; and whether
    it was odd."""
    odd = scalar & 1
    scalar = (_N - scalar, scalar)[odd]
    out = bytearray(_COLUMNS)
    _read_columns(((scalar + (1 << _BITS)) >> 1).to_bytes(33, "little"), out)
    return out, odd


def _multiply(terms: list, blind: int) -> tuple:
    """The sum of scalar * point over the (comb of the point, scalar 0 to n - 1), by one chain of doublings."""
    terms = [(comb,) + _columns(scalar) for comb, scalar in terms]
    x, y, z = _add_column(_INFINITY, terms, _COLUMNS - 1)
    square = blind * blind % _P
    point = x * square % _P, y * square % _P * blind % _P, z * blind % _P
    for column in range(_COLUMNS - 2, -1, -1):
        point = _add_column(_double(*point), terms, column)
    return point


def _add_column(point: tuple, terms: list, column: int) -> tuple:
    for comb, columns, odd in terms:
        digits = columns[column]
        sign = digits >> 5
        at = 64 * ((digits ^ (sign - 1)) & (_ENTRIES - 1))
        y = _integer(comb[at + 32 : at + 64])
        point = _add(point, _integer(comb[at : at + 32]), (_P - y, y)[sign ^ odd ^ 1])
    return point
