#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

int main(void)
{
    void *memory = aligned_alloc(256, 4096);
    arena *a = arena_open(memory, 4096);
    char *p = arena_alloc(a, 100), *q = arena_alloc(a, 200);

    memset(p, 1, 100);
    memset(q, 2, 200);
    if (!p || !q || p[99] != 1 || q[0] != 2) {
        puts("blocks overlap");
        return 1;
    }
    if (arena_free(a, q)) {
        puts("a block cannot be made free");
        return 1;
    }
    free(memory);
    puts("fine");
    return 0;
}
