#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Gives room for `count` things of `size` bytes, with what was in `memory`. */
void *grow(void *memory, size_t count, size_t size)
{
    void *grown = realloc(memory, count * size + 1);
    if (grown == NULL) {
        fputs("quillet: no memory\n", stderr);
        exit(2);
    }
    return grown;
}

/* Copies `length` bytes and ends them with a zero. */
char *copy_bytes(const char *bytes, size_t length)
{
    char *copy = grow(NULL, length, 1);
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

char *copy_string(const char *text)
{
    return copy_bytes(text, strlen(text));
}

/* Makes an empty string. */
void string_begin(struct string *string)
{
    string->room = 16;
    string->length = 0;
    string->bytes = grow(NULL, string->room, 1);
    string->bytes[0] = '\0';
}

/* Adds one byte at the end. */
void string_add(struct string *string, char byte)
{
    if (string->length + 1 >= string->room) {
        string->room *= 2;
        string->bytes = grow(string->bytes, string->room, 1);
    }
    string->bytes[string->length++] = byte;
    string->bytes[string->length] = '\0';
}

/* Adds bytes at the end. */
void string_append(struct string *string, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        string_add(string, bytes[i]);
}
