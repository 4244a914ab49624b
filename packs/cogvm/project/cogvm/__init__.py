"""A stack machine. See README.md."""

from cogvm.assembler import assemble
from cogvm.checker import check
from cogvm.disassembler import disassemble
from cogvm.errors import CogError, Fault, ImageError, SourceError
from cogvm.image import Image, read_image, write_image
from cogvm.machine import Machine, run

__all__ = [
    "CogError", "Fault", "Image", "ImageError", "Machine", "SourceError", "assemble", "check", "disassemble",
    "read_image", "run", "write_image",
]
