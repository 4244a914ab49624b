#include "block.h"

arena *arena_open(void *memory, size_t size)
{
    arena *a = memory;

    if (!memory || (uintptr_t)memory % 256)
        return NULL;
    size -= size % UNIT;
    if (size < START + SMALLEST || size > LARGEST)
        return NULL;
    memset(a, 0, START);
    a->magic = MAGIC;
    a->size = (uint32_t)size;
    lay_free(a, START, a->size - START, BEFORE);
    return a;
}

/* The free block to take, or 0. */
static uint32_t choose(arena *a, uint32_t want)
{
    uint32_t at, best = 0;

    for (at = a->first; at; at = NEXT(a, at)) {
        if (SIZE(a, at) < want)
            continue;
{% if fit == "first" %}
        best = at;
        break;
{% elif fit == "best" %}
        if (!best || SIZE(a, at) < SIZE(a, best))
            best = at;
{% else %}
        if (!best || SIZE(a, at) > SIZE(a, best))
            best = at;
{% endif %}
    }
    return best;
}

void *arena_alloc(arena *a, size_t bytes)
{
    uint32_t want = need(bytes), at = want ? choose(a, want) : 0;

    return at ? take(a, at, 0, want, bytes) : NULL;
}

int arena_free(arena *a, void *p)
{
    uint32_t at, size, before, next, last;

    if (!p)
        return 0;
    at = find(a, p);
    if (!at)
        return -1;
    a->live -= 1;
    a->asked -= ASKED(a, at);
    size = SIZE(a, at);
    before = WORD(a, at) & BEFORE;
    next = at + size;
    if (next < a->size && !(WORD(a, next) & USED)) {
        list_remove(a, next);
        size += SIZE(a, next);
    }
    if (!before) {
        last = WORD(a, at - 4);
        at -= last;
        list_remove(a, at);
        size += last;
        before = WORD(a, at) & BEFORE;
    }
    lay_free(a, at, size, before);
    return 0;
}

size_t arena_asked(arena *a, void *p)
{
    uint32_t at = find(a, p);

    return at ? ASKED(a, at) : 0;
}
