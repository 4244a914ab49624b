#include "block.h"

/* The size of the block for so many bytes, or 0 if there can be none. */
uint32_t need(size_t bytes)
{
    uint32_t size;

    if (bytes > LARGEST)
        return 0;
    size = (HEADER + (uint32_t)bytes + UNIT - 1) / UNIT * UNIT;
    return size < SMALLEST ? SMALLEST : size;
}

/* Tells the block after `at` whether `at` is used. */
static void tell_next(arena *a, uint32_t at, uint32_t before)
{
    uint32_t next = at + SIZE(a, at);

    if (next < a->size)
        WORD(a, next) = (WORD(a, next) & ~BEFORE) | before;
}

/* Makes a free block. It must have no free neighbour. */
void lay_free(arena *a, uint32_t at, uint32_t size, uint32_t before)
{
    memset((char *)a + at, POISON, size);
    memset((char *)a + at, 0, HEADER);
    WORD(a, at) = size | before;
    WORD(a, at + size - 4) = size;
    list_insert(a, at);
    tell_next(a, at, 0);
}

/* Makes a used block. What it holds stays. */
void lay_used(arena *a, uint32_t at, uint32_t size, uint32_t asked, uint32_t before)
{
    memset((char *)a + at, 0, HEADER);
    WORD(a, at) = size | USED | before;
    ASKED(a, at) = asked;
    tell_next(a, at, BEFORE);
    a->live += 1;
    a->asked += asked;
}

/* Takes `want` bytes of a free block, `gap` bytes after its begin. */
void *take(arena *a, uint32_t at, uint32_t gap, uint32_t want, size_t bytes)
{
    uint32_t size = SIZE(a, at), before = WORD(a, at) & BEFORE, rest;

    list_remove(a, at);
    if (gap) {
        lay_free(a, at, gap, before);
        before = 0;
        at += gap;
        size -= gap;
    }
    rest = size - want >= SMALLEST ? size - want : 0;
    lay_used(a, at, size - rest, (uint32_t)bytes, before);
    if (rest)
        lay_free(a, at + size - rest, rest, BEFORE);
    return (char *)a + at + HEADER;
}

/* The used block whose payload begins at `p`, or 0. */
uint32_t find(arena *a, void *p)
{
    uintptr_t there = (uintptr_t)p - (uintptr_t)a;
    uint32_t at;

    for (at = START; at < a->size; at += SIZE(a, at))
        if (at + HEADER == there && (WORD(a, at) & USED))
            return at;
    return 0;
}
