/* Plays calls from its input on an arena, and tells what came of them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define ROOM 16384
#define GUARD 512
#define MOST 4096

static unsigned char *whole, *memory;
static size_t size;
static arena *a;
static unsigned char *held[MOST];
static size_t bytes_of[MOST];

static unsigned char pattern(unsigned id, size_t at)
{
    return (unsigned char)(id * 37 + at * 11 + at / 256 + 5);
}

static void told(unsigned id, void *p, size_t bytes, size_t kept)
{
    size_t there = (size_t)((uintptr_t)p - (uintptr_t)memory), i, lost = 0;

    if (!p) {
        puts("-");
        return;
    }
    if (there >= size || bytes > size - there) {
        printf("outside %zu\n", there);
        fflush(stdout);
        exit(3);
    }
    held[id] = p;
    for (i = 0; i < kept && i < bytes; i++)
        lost += held[id][i] != pattern(id, i);
    for (i = 0; i < bytes; i++)
        held[id][i] = pattern(id, i);
    bytes_of[id] = bytes;
    printf(lost ? "%zu lost\n" : "%zu\n", there);
}

static void dump(void)
{
    size_t i, broken = 0;

    for (i = 0; i < GUARD; i++)
        broken += whole[i] != 0xa5;
    for (i = (size_t)(memory - whole) + size; i < ROOM; i++)
        broken += whole[i] != 0xa5;
    printf(broken ? "guard\n" : "d ");
    for (i = 0; !broken && i < size; i++)
        printf("%02x", memory[i]);
    if (!broken)
        puts("");
}

int main(void)
{
    char call;
    unsigned id = 0;
    unsigned long long x, y;
    long long delta;

    setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    while (scanf(" %c", &call) == 1) {
        if (call == 'o' && scanf("%llu %llu", &x, &y) == 2) {
            free(whole);
            whole = aligned_alloc(1024, ROOM);
            memset(whole, 0xa5, ROOM);
            memory = whole + GUARD + y;
            size = x < ROOM ? (size_t)x : 0;
            a = arena_open(y == 9999 ? NULL : memory, (size_t)x);
            puts(a ? (void *)a == memory ? "open" : "elsewhere" : "-");
        } else if (call == 'a' && scanf("%u %llu", &id, &x) == 2) {
            told(id, arena_alloc(a, (size_t)x), (size_t)x, 0);
        } else if (call == 'g' && scanf("%u %llu %llu", &id, &x, &y) == 3) {
            told(id, arena_aligned(a, (size_t)x, (size_t)y), (size_t)y, 0);
        } else if (call == 'r' && scanf("%u %llu", &id, &x) == 2) {
            told(id, arena_resize(a, held[id], (size_t)x), (size_t)x, held[id] ? bytes_of[id] : 0);
        } else if (call == 'q' && scanf("%u %lld %llu", &id, &delta, &x) == 3) {
            puts(arena_resize(a, held[id] + delta, (size_t)x) ? "done" : "-");
        } else if (call == 'f' && scanf("%u %lld", &id, &delta) == 2) {
            printf("%d\n", arena_free(a, held[id] + delta));
        } else if (call == 'n') {
            printf("%d %zu\n", arena_free(a, NULL), arena_asked(a, NULL));
        } else if (call == 's' && scanf("%u %lld", &id, &delta) == 2) {
            printf("%zu\n", arena_asked(a, held[id] + delta));
        } else if (call == 'd') {
            dump();
        }
    }
    puts("end");
    return 0;
}
