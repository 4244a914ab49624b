#include "kept.h"
#include "mem.h"
#include "text.h"
#include <string.h>

kept *kept_first;

static kept **place(const char *topic)
{
    kept **at = &kept_first;
    while (*at && strcmp((*at)->topic, topic) < 0)
        at = &(*at)->next;
    return at;
}

void kept_put(const char *topic, const char *text)
{
    kept **at = place(topic), *one = *at;
    if (one && strcmp(one->topic, topic) == 0) {
        mem_give(one->text);
        one->text = text_copy(text, strlen(text));
        return;
    }
    one = mem_take(sizeof *one);
    one->topic = text_copy(topic, strlen(topic));
    one->text = text_copy(text, strlen(text));
    one->next = *at;
    *at = one;
}

int kept_drop(const char *topic)
{
    kept **at = place(topic), *gone = *at;
    if (!gone || strcmp(gone->topic, topic) != 0)
        return 0;
    *at = gone->next;
    mem_give(gone->topic);
    mem_give(gone->text);
    mem_give(gone);
    return 1;
}

void kept_clear(void)
{
    kept *next;
    for (kept *one = kept_first; one; one = next) {
        next = one->next;
        mem_give(one->topic);
        mem_give(one->text);
        mem_give(one);
    }
    kept_first = NULL;
}
