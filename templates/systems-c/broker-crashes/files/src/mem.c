#include "mem.h"
#include <stdio.h>
#include <stdlib.h>

void *mem_take(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p) {
        fputs("no memory\n", stderr);
        exit(3);
    }
    return p;
}

void mem_give(void *p)
{
    free(p);
}
