#ifndef TEXT_H
#define TEXT_H
#include <stddef.h>

/* A copy of `size` bytes, as a string. Give it back with mem_give. */
char *text_copy(const char *from, size_t size);

/* Puts up to three texts behind each other. Give the result back. */
char *text_join(const char *a, const char *b, const char *c);

/* Cuts a line at blanks. The last of at most `most` words has all that is left. Returns how many there are. */
size_t text_words(char *line, char **words, size_t most);

#endif
