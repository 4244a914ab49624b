/* The script: the commands, a line each. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct script {
    char *bytes;
    size_t length;
    size_t place;
    size_t line;
    char *command;
};

char *read_all(FILE *file, size_t *length);
void script_free(struct script *script);
const char *script_next(struct script *script);

#endif
