#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    max_align_t bytes[];
};

static struct block *blocks;

/* Gives memory that is zero. The program ends if there is none. */
void *arena_get(size_t size)
{
    struct block *block = calloc(1, sizeof *block + size);
    if (block == NULL) {
        fputs("sheaf: no memory\n", stderr);
        exit(2);
    }
    block->next = blocks;
    blocks = block;
    return block->bytes;
}

/* Copies bytes, and ends them with a zero. */
char *arena_text(const char *bytes, size_t length)
{
    char *text = arena_get(length + 1);
    memcpy(text, bytes, length);
    return text;
}

/* Gives all memory back. */
void arena_free(void)
{
    while (blocks != NULL) {
        struct block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}
