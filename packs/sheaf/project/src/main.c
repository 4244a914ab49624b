/* The command: `sheaf COMMAND [ARGUMENT ...]`, with the sheet as its input. */
#include "arena.h"
#include "sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] = "usage: sheaf show [AREA] | list | check | order | get CELL ... | needs CELL | users CELL | "
                            "copy CELL CELL\n";

static int bad_usage(void)
{
    fputs(USAGE, stdout);
    return 2;
}

/* The widths of the columns of an area: those of the widest values and of the letters. */
static void measure(const struct sheet *sheet, struct area area, int *widths)
{
    for (int column = area.first.column; column <= area.last.column; column++) {
        char letters[4];
        column_print(column, letters);
        widths[column] = (int)strlen(letters);
        for (int row = area.first.row; row <= area.last.row; row++) {
            int width = (int)strlen(value_show(cell_value(sheet, (struct place){column, row})));
            if (width > widths[column])
                widths[column] = width;
        }
    }
}

/* Prints a line without the spaces at its end. */
static void print_trimmed(char *line)
{
    size_t length = strlen(line);
    while (length > 0 && line[length - 1] == ' ')
        length--;
    printf("%.*s\n", (int)length, line);
}

/* How much room a row of an area needs. */
static size_t row_room(struct area area, const int *widths)
{
    size_t room = 16;
    for (int column = area.first.column; column <= area.last.column; column++)
        room += (size_t)widths[column] + 2;
    return room;
}

/* Prints the letters of the columns. */
static void print_letters(struct area area, const int *widths)
{
    char *line = arena_get(row_room(area, widths)), *out = line + sprintf(line, "   ");
    for (int column = area.first.column; column <= area.last.column; column++) {
        char letters[4];
        column_print(column, letters);
        out += sprintf(out, "  %-*s", widths[column], letters);
    }
    print_trimmed(line);
}

/* Prints one row. Numbers stand on the right, all else on the left. */
static void print_row(const struct sheet *sheet, struct area area, int row, const int *widths)
{
    char *line = arena_get(row_room(area, widths)), *out = line + sprintf(line, "%3d", row);
    for (int column = area.first.column; column <= area.last.column; column++) {
        struct value value = cell_value(sheet, (struct place){column, row});
        const char *format = value.kind == NUMBER ? "  %*s" : "  %-*s";
        out += sprintf(out, format, widths[column], value_show(value));
    }
    print_trimmed(line);
}

/* Prints an area as a table. Without a word it is all that is used. */
static int run_show(const struct sheet *sheet, int count, char **words)
{
    struct area area = sheet_used(sheet);
    static int widths[COLUMNS + 1];
    if (count > 1 || (count == 1 && !area_read(words[0], &area)))
        return bad_usage();
    measure(sheet, area, widths);
    print_letters(area, widths);
    for (int row = area.first.row; row <= area.last.row; row++)
        print_row(sheet, area, row, widths);
    return 0;
}

/* Prints the place, the kind and the value of each cell. */
static int run_list(const struct sheet *sheet, int count, char **words)
{
    (void)words;
    if (count != 0)
        return bad_usage();
    for (size_t i = 0; i < sheet->count; i++) {
        char place[16];
        struct value value = cell_value(sheet, sheet->cells[i].place);
        place_print(sheet->cells[i].place, place);
        printf("%s %s %s\n", place, kind_name(value.kind), value_show(value));
    }
    return 0;
}

/* Prints the cells with faults. */
static int run_check(const struct sheet *sheet, int count, char **words)
{
    int faults = 0;
    (void)words;
    if (count != 0)
        return bad_usage();
    for (size_t i = 0; i < sheet->count; i++) {
        char place[16];
        struct value value = cell_value(sheet, sheet->cells[i].place);
        if (value.kind != FAULT)
            continue;
        place_print(sheet->cells[i].place, place);
        printf("%s %s %s\n", place, value_show(value), sheet->cells[i].source);
        faults++;
    }
    printf("%d of %zu cells have faults\n", faults, sheet->count);
    return faults > 0 ? 1 : 0;
}

/* Prints the places of cells in one line behind a word. */
static void print_places(const char *word, struct cell **cells, size_t count)
{
    fputs(word, stdout);
    for (size_t i = 0; i < count; i++) {
        char place[16];
        place_print(cells[i]->place, place);
        printf(" %s", place);
    }
    printf(count == 0 ? " none\n" : "\n");
}

/* Prints the cells in an order in which they can be calculated, and those that cannot be. */
static int run_order(const struct sheet *sheet, int count, char **words)
{
    (void)words;
    if (count != 0)
        return bad_usage();
    struct cell **order = arena_get((sheet->count + 1) * sizeof *order);
    bool *is_left = arena_get(sheet->count + 1);
    size_t ordered = sort_cells(sheet, order, is_left), left = 0;
    print_places("order:", order, ordered);
    for (size_t i = 0; i < sheet->count; i++)
        if (is_left[i])
            order[left++] = &sheet->cells[i];
    if (left > 0)
        print_places("stuck:", order, left);
    return left > 0 ? 1 : 0;
}

/* Prints the values of some cells. */
static int run_get(const struct sheet *sheet, int count, char **words)
{
    struct place place;
    for (int i = 0; i < count; i++)
        if (!place_read(words[i], &place))
            return bad_usage();
    for (int i = 0; i < count; i++) {
        place_read(words[i], &place);
        printf("%s = %s\n", words[i], value_show(cell_value(sheet, place)));
    }
    return count > 0 ? 0 : bad_usage();
}

/* Prints what the formula of a cell names. */
static int run_needs(const struct sheet *sheet, int count, char **words)
{
    struct place place;
    struct area areas[MOST_AREAS];
    if (count != 1 || !place_read(words[0], &place))
        return bad_usage();
    const struct cell *cell = sheet_find(sheet, place);
    size_t found = cell == NULL ? 0 : list_areas(sheet, cell->formula, areas, 0);
    printf("needs:");
    for (size_t i = 0; i < found; i++) {
        char area[32];
        area_print(areas[i], area);
        printf(" %s", area);
    }
    printf(found == 0 ? " none\n" : "\n");
    return 0;
}

/* Prints the cells that need a cell, be it through others. */
static int run_users(const struct sheet *sheet, int count, char **words)
{
    struct place place;
    size_t found = 0;
    if (count != 1 || !place_read(words[0], &place))
        return bad_usage();
    bool *is_user = arena_get(sheet->count + 1);
    struct cell **users = arena_get((sheet->count + 1) * sizeof *users);
    mark_users(sheet, place, is_user);
    for (size_t i = 0; i < sheet->count; i++)
        if (is_user[i])
            users[found++] = &sheet->cells[i];
    print_places("users:", users, found);
    return 0;
}

/* Prints the line of a cell as if it were copied to another place. */
static int run_copy(const struct sheet *sheet, int count, char **words)
{
    struct place from, to;
    if (count != 2 || !place_read(words[0], &from) || !place_read(words[1], &to))
        return bad_usage();
    const struct cell *cell = sheet_find(sheet, from);
    if (cell == NULL) {
        printf("sheaf: %s is empty\n", words[0]);
        return 1;
    }
    printf("%s: %s\n", words[1], copy_formula(cell->source, from, to));
    return 0;
}

/* Reads the whole input. */
static char *read_input(void)
{
    size_t length = 0, room = 4096;
    char *text = arena_get(room);
    for (int byte; (byte = getchar()) != EOF; text[length++] = (char)byte) {
        if (length + 1 < room)
            continue;
        char *larger = arena_get(room * 2);
        memcpy(larger, text, length);
        text = larger;
        room *= 2;
    }
    return text;
}

/* Runs a command on the sheet that is the input. */
static int run(int count, char **words)
{
    static const struct {
        const char *word;
        int (*run)(const struct sheet *sheet, int count, char **words);
    } COMMANDS[] = {{"show", run_show},   {"list", run_list}, {"check", run_check}, {"order", run_order},
                    {"get", run_get},     {"needs", run_needs}, {"users", run_users}, {"copy", run_copy}};
    struct sheet sheet = {0};
    char problem[128];
    for (size_t i = 0; count > 1 && i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(words[1], COMMANDS[i].word) != 0)
            continue;
        if (!sheet_load(&sheet, read_input(), problem)) {
            printf("sheaf: %s\n", problem);
            return 2;
        }
        return COMMANDS[i].run(&sheet, count - 2, words + 2);
    }
    return bad_usage();
}

int main(int count, char **words)
{
    int status = run(count, words);
    arena_free();
    return status;
}
