/* The last text of topics for which somebody has asked that. Sorted by topic, byte by byte. */
#ifndef KEPT_H
#define KEPT_H

typedef struct kept {
    struct kept *next;
    char *topic, *text;
} kept;

extern kept *kept_first;

void kept_put(const char *topic, const char *text);

/* Returns 0 if there is none. */
int kept_drop(const char *topic);

void kept_clear(void);

#endif
