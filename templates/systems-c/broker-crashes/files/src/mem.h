/* All memory of the broker. mem.c may be replaced, for example by tests/strict.c. */
#ifndef MEM_H
#define MEM_H
#include <stddef.h>

void *mem_take(size_t size);
void mem_give(void *p);

#endif
