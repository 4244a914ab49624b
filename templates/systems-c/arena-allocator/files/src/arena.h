/* An arena: blocks of memory inside one piece of memory. docs/IMAGE.md says what it looks like. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

typedef struct arena arena;

arena *arena_open(void *memory, size_t size);
void *arena_alloc(arena *a, size_t bytes);
void *arena_aligned(arena *a, size_t align, size_t bytes);
void *arena_resize(arena *a, void *p, size_t bytes);
int arena_free(arena *a, void *p);
size_t arena_asked(arena *a, void *p);

#endif
