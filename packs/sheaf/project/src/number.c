#include "number.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool in_limits(__int128 value, number *kept)
{
    if (value > LARGEST || value < -LARGEST)
        return false;
    *kept = (number)value;
    return true;
}

/* Reads digits, perhaps with a point and one to four decimals. False if it is no number, or too large. */
bool number_read(const char **source, number *value)
{
    __int128 whole = 0;
    number unit = ONE;
    if (!isdigit((unsigned char)**source))
        return false;
    for (; isdigit((unsigned char)**source); (*source)++)
        if (whole <= LARGEST)
            whole = whole * 10 + (**source - '0') * ONE;
    if (**source == '.') {
        (*source)++;
        if (!isdigit((unsigned char)**source))
            return false;
        for (; isdigit((unsigned char)**source); (*source)++) {
            unit /= 10;
            if (unit == 0)
                return false;
            whole += (**source - '0') * unit;
        }
    }
    return in_limits(whole, value);
}

/* Writes a number with the decimals that it needs. `out` has room for 24 bytes. */
void number_print(number value, char *out)
{
    number size = value < 0 ? -value : value;
    int length = sprintf(out, "%s%lld", value < 0 ? "-" : "", (long long)(size / ONE));
    if (size % ONE == 0)
        return;
    length += sprintf(out + length, ".%04d", (int)(size % ONE));
    while (out[length - 1] == '0')
        out[--length] = '\0';
}

bool number_add(number left, number right, number *value)
{
    return in_limits((__int128)left + right, value);
}

/* Divides and rounds, a half away from zero. */
static __int128 divide_round(__int128 left, __int128 right)
{
    bool negative = (left < 0) != (right < 0);
    __int128 size = left < 0 ? -left : left, by = right < 0 ? -right : right;
    __int128 found = (size + by / 2) / by;
    return negative ? -found : found;
}

bool number_multiply(number left, number right, number *value)
{
    return in_limits(divide_round((__int128)left * right, ONE), value);
}

/* `right` is not zero. */
bool number_divide(number left, number right, number *value)
{
    return in_limits(divide_round((__int128)left * ONE, right), value);
}

/* A number to the power of a whole one, rounded at each step. False if it is too large, or not defined. */
bool number_power(number base, number exponent, number *value)
{
    number times = exponent / ONE;
    if (exponent % ONE != 0 || times > 1000 || times < -1000)
        return false;
    *value = ONE;
    for (number i = times < 0 ? -times : times; i > 0; i--)
        if (!number_multiply(*value, base, value))
            return false;
    if (times >= 0)
        return true;
    return *value != 0 && number_divide(ONE, *value, value);
}

/* The largest multiple of a step, which is above zero, that is not larger than the number. */
number number_floor(number value, number step)
{
    number rest = value % step;
    return rest < 0 ? value - rest - step : value - rest;
}

/* What remains of a division, with the sign of the right number, which is not zero. */
number number_modulo(number left, number right)
{
    number rest = left % right;
    if (rest != 0 && (rest < 0) != (right < 0))
        rest += right;
    return rest;
}

/* Rounds to so many decimals (-4 to 4), a half away from zero. */
number number_round(number value, int decimals)
{
    number unit = 1;
    for (int i = decimals; i < 4; i++)
        unit *= 10;
    return (number)divide_round(value, unit) * unit;
}
