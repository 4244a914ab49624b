#include "ring.h"
#include "mem.h"

static void grow(ring *r)
{
    size_t room = r->room ? 2 * r->room : 2;
    char **slots = mem_take(room * sizeof *slots);
    for (size_t at = 0; at < r->count; at++)
        slots[at] = r->slots[(r->head + at) % r->room];
    mem_give(r->slots);
    r->slots = slots;
    r->room = room;
    r->head = 0;
}

int ring_push(ring *r, char *text)
{
    int lost = 0;
    if (r->count == RING_LIMIT) {
        mem_give(ring_pop(r));
        lost = 1;
    }
    if (r->count == r->room)
        grow(r);
    r->slots[(r->head + r->count) % r->room] = text;
    r->count++;
    return lost;
}

char *ring_pop(ring *r)
{
    char *text = r->slots[r->head];
    r->head = (r->head + 1) % r->room;
    r->count--;
    return text;
}

void ring_clear(ring *r)
{
    while (r->count)
        mem_give(ring_pop(r));
    mem_give(r->slots);
    r->slots = NULL;
    r->room = r->head = 0;
}
