"""Many pictures: a lazy grid of thumbnails with filters and sorting."""

from fkp_studio.gallery.panel import GalleryPanel

__all__ = ["GalleryPanel"]
