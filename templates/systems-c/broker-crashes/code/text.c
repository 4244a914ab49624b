#include "text.h"
#include "mem.h"
#include <string.h>

char *text_copy(const char *from, size_t size)
{
    char *copy = mem_take(size + 1);
    memcpy(copy, from, size);
    copy[size] = 0;
    return copy;
}

char *text_join(const char *a, const char *b, const char *c)
{
    size_t first = strlen(a), second = strlen(b), third = strlen(c);
    char *all = mem_take(first + second + third + 1);
    memcpy(all, a, first);
    memcpy(all + first, b, second);
    memcpy(all + first + second, c, third + 1);
    return all;
}

size_t text_words(char *line, char **words, size_t most)
{
    size_t count = 0;
    while (*line && count < most) {
        words[count++] = line;
        char *blank = count < most ? strchr(line, ' ') : NULL;
        if (!blank)
            break;
        *blank = 0;
        line = blank + 1;
    }
    return count;
}
