#include "script.h"

#include "memory.h"

#include <stdlib.h>

/* Reads a whole file. NULL if it cannot be read, or has a zero byte. */
char *read_all(FILE *file, size_t *length)
{
    struct string all;
    string_begin(&all);
    int byte;
    while ((byte = getc(file)) != EOF && byte != 0)
        string_add(&all, (char)byte);
    if (byte == 0 || ferror(file)) {
        free(all.bytes);
        return NULL;
    }
    *length = all.length;
    return all.bytes;
}

/* Gives back the memory of a script. */
void script_free(struct script *script)
{
    free(script->bytes);
    free(script->command);
}

/* The next line of the script without its newline, until the next call. NULL at the end. */
const char *script_next(struct script *script)
{
    if (script->place >= script->length)
        return NULL;
    size_t start = script->place, end = start;
    while (end < script->length && script->bytes[end] != '\n')
        end++;
    free(script->command);
    script->command = copy_bytes(script->bytes + start, end - start);
    script->place = end + 1;
    script->line++;
    return script->command;
}
