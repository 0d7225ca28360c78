/* The register of the benchmark, written with libxlsxwriter in constant-memory mode, for comparison; see BenchmarkRegisterAgainstC.

   cc -O2 -o register register.c -lxlsxwriter
   ./register CELLS ROWS OUT.xlsx

   CELLS has the cells of some rows, one row a line and tabs between the cells; a cell begins with t (text), d (date) or n (number). They are
   written over and over until there are ROWS rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xlsxwriter.h>

enum { MAX_ROWS = 4096, MAX_COLS = 128 };

struct cell {
    char kind;
    double number;
    char *text;
};

static struct cell cells[MAX_ROWS][MAX_COLS];

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: register CELLS ROWS OUT.xlsx\n");
        return 2;
    }
    FILE *in = fopen(argv[1], "r");
    if (!in)
        return 1;
    char *line = NULL;
    size_t size = 0;
    int rows = 0, cols = 0;
    while (rows < MAX_ROWS && getline(&line, &size, in) > 0) {
        line[strcspn(line, "\n")] = 0;
        char *rest = strdup(line), *field;
        int c = 0;
        while ((field = strsep(&rest, "\t")) && c < MAX_COLS) {
            cells[rows][c].kind = field[0];
            cells[rows][c].text = field + 1;
            cells[rows][c].number = atof(field + 1);
            c++;
        }
        cols = c;
        rows++;
    }
    if (rows < 2)
        return 1;
    int total = atoi(argv[2]);

    lxw_workbook_options options = {.constant_memory = LXW_TRUE};
    lxw_workbook *book = workbook_new_opt(argv[3], &options);
    lxw_worksheet *sheet = workbook_add_worksheet(book, "PP1 2026-11");
    lxw_format *head = workbook_add_format(book), *text = workbook_add_format(book), *date = workbook_add_format(book);
    format_set_bold(head);
    format_set_num_format_index(text, 49);
    format_set_num_format(date, "d mmm yyyy");
    worksheet_set_column(sheet, 0, cols - 1, 20, NULL);
    worksheet_freeze_panes(sheet, 1, 3);
    worksheet_autofilter(sheet, 0, 0, total, cols - 1);
    worksheet_repeat_rows(sheet, 0, 0);
    for (int c = 0; c < cols; c++)
        worksheet_write_string(sheet, 0, c, cells[0][c].text, head);
    for (int r = 0; r < total; r++) {
        struct cell *row = cells[1 + r % (rows - 1)];
        for (int c = 0; c < cols; c++) {
            switch (row[c].kind) {
            case 'd':
                worksheet_write_number(sheet, r + 1, c, row[c].number, date);
                break;
            case 'n':
                worksheet_write_number(sheet, r + 1, c, row[c].number, NULL);
                break;
            default:
                worksheet_write_string(sheet, r + 1, c, row[c].text, text);
            }
        }
    }
    return workbook_close(book) != LXW_NO_ERROR;
}
