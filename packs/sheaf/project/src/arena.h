/* Memory that lives until the end of the program. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

void *arena_get(size_t size);
char *arena_text(const char *bytes, size_t length);
void arena_free(void);

#endif
