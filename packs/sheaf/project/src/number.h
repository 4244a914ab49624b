/* Numbers with four decimals, as whole numbers of ten-thousandths. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t number;

/* One, and the largest number: 10^12. */
#define ONE ((number)10000)
#define LARGEST ((number)1000000000000 * ONE)

bool number_read(const char **source, number *value);
void number_print(number value, char *out);
bool number_add(number left, number right, number *value);
bool number_multiply(number left, number right, number *value);
bool number_divide(number left, number right, number *value);
bool number_power(number base, number exponent, number *value);
number number_floor(number value, number step);
number number_modulo(number left, number right);
number number_round(number value, int decimals);

#endif
