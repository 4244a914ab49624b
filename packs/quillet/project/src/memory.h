/* Memory and strings. All functions here end the program if there is no memory left. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

/* A text that grows. `bytes` always ends with a zero. */
struct string {
    char *bytes;
    size_t length;
    size_t room;
};

void *grow(void *memory, size_t count, size_t size);
char *copy_bytes(const char *bytes, size_t length);
char *copy_string(const char *text);
void string_begin(struct string *string);
void string_add(struct string *string, char byte);
void string_append(struct string *string, const char *bytes, size_t length);

#endif
