#include "block.h"

void list_insert(arena *a, uint32_t at)
{
    uint32_t before = 0, after = a->first;

{% if order == "address" %}
    while (after && after < at) {
        before = after;
        after = NEXT(a, after);
    }
{% elif order == "size" %}
    while (after && (SIZE(a, after) < SIZE(a, at) || (SIZE(a, after) == SIZE(a, at) && after < at))) {
        before = after;
        after = NEXT(a, after);
    }
{% endif %}
    NEXT(a, at) = after;
    PREV(a, at) = before;
    if (after)
        PREV(a, after) = at;
    if (before)
        NEXT(a, before) = at;
    else
        a->first = at;
}

void list_remove(arena *a, uint32_t at)
{
    uint32_t before = PREV(a, at), after = NEXT(a, at);

    if (before)
        NEXT(a, before) = after;
    else
        a->first = after;
    if (after)
        PREV(a, after) = before;
}
