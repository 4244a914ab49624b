#include "block.h"

void *arena_resize(arena *a, void *p, size_t bytes)
{
    uint32_t at, size, next, want, rest, before;
    void *other;

    if (!p)
        return arena_alloc(a, bytes);
    at = find(a, p);
    want = need(bytes);
    if (!at || !want)
        return NULL;
    size = SIZE(a, at);
    next = at + size;
    before = WORD(a, at) & BEFORE;
    if (want > size || size - want >= SMALLEST) {
        if (next < a->size && !(WORD(a, next) & USED) && size + SIZE(a, next) >= want) {
            list_remove(a, next);
            size += SIZE(a, next);
        }
    }
    if (want > size) {
        other = arena_alloc(a, bytes);
        if (other) {
            memcpy(other, p, ASKED(a, at));
            arena_free(a, p);
        }
        return other;
    }
    a->live -= 1;
    a->asked -= ASKED(a, at);
    rest = size - want >= SMALLEST ? size - want : 0;
    lay_used(a, at, size - rest, (uint32_t)bytes, before);
    if (rest)
        lay_free(a, at + size - rest, rest, BEFORE);
    return p;
}
