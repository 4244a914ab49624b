"""Makes a source of an image."""

from cogvm.opcodes import decode


def disassemble(image):
    """A source with a label `at_N` in front of each place that is jumped to."""
    places = targets(image)
    lines = []
    if image.entry:
        lines.append(".entry at_%d" % image.entry)
    at = 0
    while at < len(image.code):
        if at in places:
            lines.append("at_%d:" % at)
        found, operand, behind = decode(image.code, at)
        lines.append("    " + instruction(found, operand, places, image.code[at]))
        at = behind
    if at in places:
        lines.append("at_%d:" % at)
    return "\n".join(lines + data(image.cells)) + "\n"


def starts(code):
    """The places at which instructions begin, if they are read one after the other."""
    found, at = [], 0
    while at < len(code):
        found.append(at)
        at = decode(code, at)[2]
    return found


def targets(image):
    """The places that get a label: those that are jumped to and begin an instruction, and the entry."""
    begin = set(starts(image.code)) | {len(image.code)}
    wanted = {image.entry} if image.entry else set()
    for at in starts(image.code):
        found, operand, _ = decode(image.code, at)
        if found is not None and found.is_place:
            wanted.add(operand)
    return wanted & begin


def instruction(found, operand, places, byte):
    """One instruction as text. What is none becomes a comment."""
    if found is None:
        return "; bad code %02x" % byte
    if operand is None:
        return found.name
    if found.is_place and operand in places:
        return "%s at_%d" % (found.name, operand)
    return "%s %d" % (found.name, operand)


def data(cells):
    """The memory as directives: texts, spaces and words."""
    lines, at = [], 0
    while at < len(cells):
        end = text_end(cells, at)
        if end is not None:
            lines.append('    .text "%s"' % escaped(cells[at : end - 1]))
            at = end
            continue
        zeros = count_zeros(cells, at)
        if zeros >= 2:
            lines.append("    .space %d" % zeros)
            at += zeros
        else:
            lines.append("    .word %d" % cells[at])
            at += 1
    return lines


def text_end(cells, at):
    """The place behind a text of at least two characters with its zero; None if there is none."""
    end = at
    while end < len(cells) and is_letter(cells[end]):
        end += 1
    if end - at < 2 or end == len(cells) or cells[end] != 0:
        return None
    return end + 1


def is_letter(cell):
    return 32 <= cell < 127 or cell == 10


def count_zeros(cells, at):
    """How many cells from a place on are zero."""
    count = 0
    while at + count < len(cells) and cells[at + count] == 0:
        count += 1
    return count


def escaped(cells):
    """Characters as they stand between quotes."""
    text = "".join(chr(cell) for cell in cells)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
