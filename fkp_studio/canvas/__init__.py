"""The canvas: one face with its points to look at and edit, and the contact sheet of many."""

from fkp_studio.canvas.contact_sheet import ContactSheet
from fkp_studio.canvas.panel import CanvasPanel
from fkp_studio.canvas.view import CanvasView

__all__ = ["CanvasPanel", "CanvasView", "ContactSheet"]
