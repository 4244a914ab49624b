#include "conn.h"
#include "kept.h"
#include "mem.h"
#include "text.h"
#include "topic.h"
#include <stdio.h>
#include <string.h>

#define LINE {{ line }}

static void subscribe(conn *who, const char *pattern)
{
    if (!subs_add(who, pattern)) {
        printf("%s err twice\n", who->name);
        return;
    }
    printf("%s ok\n", who->name);
    for (kept *one = kept_first; one; one = one->next)
        if (topic_matches(pattern, one->topic)) {
            char *start = text_join("msg ", one->topic, " ");
            conn_send(who, text_join(start, one->text, ""));
            mem_give(start);
        }
}

static void told(const conn *who, int done)
{
    printf("%s %s\n", who->name, done ? "ok" : "err none");
}

/* Commands with a topic, and perhaps a text. */
static void on_topic(conn *who, char **words, size_t count)
{
    const char *verb = words[1];
    int star = strcmp(verb, "sub") == 0 || strcmp(verb, "unsub") == 0;
    int text = strcmp(verb, "pub") == 0 || strcmp(verb, "keep") == 0;
    if (count != (text ? 4u : 3u))
        printf("%s err use\n", who->name);
    else if (!topic_valid(words[2], star))
        printf("%s err topic\n", who->name);
    else if (strcmp(verb, "sub") == 0)
        subscribe(who, words[2]);
    else if (strcmp(verb, "unsub") == 0)
        told(who, subs_drop(who, words[2]));
    else if (strcmp(verb, "drop") == 0)
        told(who, kept_drop(words[2]));
    else {
        int keep = strcmp(verb, "keep") == 0;
        if (keep)
            kept_put(words[2], words[3]);
        unsigned count_sent = subs_publish(words[2], words[3]);
        printf("%s %s %u\n", who->name, keep ? "kept" : "sent", count_sent);
    }
}

static int known(const char *verb)
{
    static const char *const verbs[] = {"sub", "unsub", "pub", "keep", "drop"};
    for (size_t at = 0; at < sizeof verbs / sizeof *verbs; at++)
        if (strcmp(verb, verbs[at]) == 0)
            return 1;
    return 0;
}

static void command(char *line)
{
    char *words[4] = {0};
    size_t count = text_words(line, words, 4);
    if (count < 2) {
        printf("? err use\n");
        return;
    }
    conn *who = conn_find(words[0]);
    const char *verb = words[1];
    if (strcmp(verb, "open") == 0 && count == 2) {
        if (!who)
            conn_open(words[0]);
        printf("%s %s\n", words[0], who ? "err open" : "ok");
    } else if (!who) {
        printf("%s err closed\n", words[0]);
    } else if (strcmp(verb, "close") == 0 && count == 2) {
        printf("%s bye\n", words[0]);
        conn_close(who);
    } else if (strcmp(verb, "hold") == 0 && count == 2) {
        who->held = 1;
        printf("%s ok\n", words[0]);
    } else if (strcmp(verb, "go") == 0 && count == 2) {
        printf("%s ok\n", words[0]);
        conn_go(who);
    } else if (strcmp(verb, "stat") == 0 && count == 2) {
        printf("%s stat subs=%u waiting=%zu lost=%u\n", words[0], subs_count(who), who->waiting.count, who->lost);
    } else if (known(verb)) {
        on_topic(who, words, count);
    } else {
        printf("%s err verb\n", words[0]);
    }
}

int main(void)
{
    char line[LINE + 2];
    while (fgets(line, sizeof line, stdin)) {
        size_t size = strlen(line);
        if (line[size - 1] != '\n' && size > LINE) {
            int c;
            while ((c = getchar()) != EOF && c != '\n')
                ;
            printf("? err long\n");
            continue;
        }
        line[strcspn(line, "\n")] = 0;
        command(line);
        fflush(stdout);
    }
    conn_close_all();
    kept_clear();
    return 0;
}
