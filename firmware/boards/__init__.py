"""Boards: one file each, with its pins and parts."""
