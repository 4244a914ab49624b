/* The command: `quillet [-p] [-s] [FILE]`, with the script as its input. */
#include "editor.h"
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    bool prints;
    bool is_strict;
    const char *file;
};

/* Reads the arguments. False if they are wrong. */
static bool read_options(int count, char **words, struct options *options)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(words[i], "-p") == 0)
            options->prints = true;
        else if (strcmp(words[i], "-s") == 0)
            options->is_strict = true;
        else if (words[i][0] == '-' || options->file != NULL)
            return false;
        else
            options->file = words[i];
    }
    return true;
}

/* Loads the text of a file. False if it cannot be read. */
static bool load_file(struct editor *editor, const char *path)
{
    size_t length = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    char *bytes = read_all(file, &length);
    fclose(file);
    if (bytes == NULL)
        return false;
    text_load(&editor->text, bytes, length);
    editor->current = editor->text.count;
    free(bytes);
    return true;
}

/* Whether a line of the script is no command: empty, or a note. */
static bool is_note(const char *command)
{
    command += strspn(command, " \t");
    return *command == '\0' || *command == '#';
}

/* Runs all commands. Gives how many failed. */
static size_t run_script(struct editor *editor, bool is_strict)
{
    size_t failed = 0;
    const char *line;
    while (!editor->is_over && (line = script_next(&editor->script)) != NULL) {
        if (is_note(line))
            continue;
        char *command = copy_string(line);
        size_t number = editor->script.line, before = editor->current;
        step_begin(&editor->text, command, before);
        if (run_command(editor, command)) {
            step_end(&editor->text, editor->current);
        } else {
            printf("?%zu %s\n", number, editor->error);
            failed++;
            editor->is_over = is_strict;
            step_cancel(&editor->text);
            editor->current = before;
        }
        free(command);
    }
    return failed;
}

/* Prints the whole text. */
static void print_text(const struct text *text)
{
    for (size_t i = 1; i <= text->count; i++)
        printf("%s\n", text_words(text, i));
}

int main(int count, char **words)
{
    struct options options = {false, false, NULL};
    struct editor editor = {0};
    size_t failed = 0;
    if (!read_options(count, words, &options)) {
        printf("usage: quillet [-p] [-s] [FILE]\n");
        return 2;
    }
    if (options.file != NULL && !load_file(&editor, options.file)) {
        printf("quillet: %s cannot be read\n", options.file);
        return 2;
    }
    editor.script.bytes = read_all(stdin, &editor.script.length);
    if (editor.script.bytes == NULL) {
        printf("quillet: the script cannot be read\n");
        editor_free(&editor);
        return 2;
    }
    failed = run_script(&editor, options.is_strict);
    if (options.prints)
        print_text(&editor.text);
    editor_free(&editor);
    return failed > 0 ? 1 : 0;
}
