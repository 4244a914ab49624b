'use strict';

const { MONTHS, WEEKDAYS, daysInMonth, fromDay, weekStart, weekdayOf } = require('./dates');

/** The index of a word in a list of names, or null. */
function indexOf(names, word) {
  const index = names.indexOf(word);
  return index < 0 ? null : index;
}

/** Reads a name, or two with `-`, as indexes; it may go around the end (`fri-mon`). Null if it is none. */
function parseNames(names, word) {
  const [first, last, ...more] = word.split('-').map((name) => indexOf(names, name));
  if (first === null || last === null || more.length > 0) {
    return null;
  }
  const found = [first];
  while (last !== undefined && found[found.length - 1] !== last) {
    found.push((found[found.length - 1] + 1) % names.length);
  }
  return found;
}

/** Reads `2nd tue` or `last fri`. Null if it is none. */
function parseNth(word) {
  const match = /^(1st|2nd|3rd|4th|5th|last) ([a-z]{3})$/.exec(word);
  const weekday = match === null ? null : indexOf(WEEKDAYS, match[2]);
  if (weekday === null) {
    return null;
  }
  return { kind: 'nth', nth: match[1] === 'last' ? 0 : Number(match[1][0]), weekday };
}

/** Reads a day of the month: `15`, `last`, `last-2`. Null if it is none. */
function parseMonthDay(word) {
  const match = /^(?:(\d{1,2})|last(?:-(\d{1,2}))?)$/.exec(word);
  if (match === null) {
    return null;
  }
  if (match[1] === undefined) {
    const back = Number(match[2] || 0);
    return back <= 27 ? { kind: 'last', back } : null;
  }
  const number = Number(match[1]);
  return number >= 1 && number <= 31 ? { kind: 'monthday', number } : null;
}

/** Reads one part of `days`: the rules that it stands for. Null if it is faulty. */
function parseDays(word) {
  if (word === 'daily') {
    return [{ kind: 'daily' }];
  }
  const single = parseNth(word) || parseMonthDay(word);
  if (single !== null) {
    return [single];
  }
  const weekdays = parseNames(WEEKDAYS, word);
  return weekdays === null ? null : weekdays.map((weekday) => ({ kind: 'weekday', weekday }));
}

/** Whether a day is the one with a number among the same weekdays of its month; 0 is the last. */
function isNth(date, nth) {
  if (nth === 0) {
    return date.dayOfMonth + 7 > daysInMonth(date.year, date.month);
  }
  return Math.ceil(date.dayOfMonth / 7) === nth;
}

/** Whether a rule of `days` has a day. */
function ruleHas(rule, day) {
  const date = fromDay(day);
  switch (rule.kind) {
    case 'weekday':
      return weekdayOf(day) === rule.weekday;
    case 'nth':
      return weekdayOf(day) === rule.weekday && isNth(date, rule.nth);
    case 'monthday':
      return date.dayOfMonth === rule.number;
    case 'last':
      return date.dayOfMonth === daysInMonth(date.year, date.month) - rule.back;
    default:
      return true;
  }
}

/** Whether a month is among some, from 0; none stand for all. */
function monthHas(months, day) {
  return months.length === 0 || months.includes(fromDay(day).month - 1);
}

/** Whether the week of a day is a whole number of steps away from that of another day. */
function weekHas(step, first, day) {
  return ((weekStart(day) - weekStart(first)) / 7) % step === 0;
}

module.exports = { MONTHS, parseNames, parseDays, ruleHas, monthHas, weekHas };
