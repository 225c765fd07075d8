# SPDX-License-Identifier: MIT
"""Describes a finished data set: its card as text, Markdown and HTML, with a contact sheet."""

from preprocessing.card.description import Card, describe

__all__ = ["Card", "describe"]
