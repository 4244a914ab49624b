#include "ring.h"
#include "mem.h"

int ring_push(ring *r, char *text)
{
    int lost = 0;
    if (!r->slots) {
        r->slots = mem_take(RING_LIMIT * sizeof *r->slots);
        r->room = RING_LIMIT;
    }
    if (r->count == RING_LIMIT) {
        mem_give(ring_pop(r));
        lost = 1;
    }
    size_t at = r->head + r->count++;
    r->slots[at < RING_LIMIT ? at : at - RING_LIMIT] = text;
    return lost;
}

char *ring_pop(ring *r)
{
    char *text = r->slots[r->head++];
    if (r->head == RING_LIMIT)
        r->head = 0;
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
