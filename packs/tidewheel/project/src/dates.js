'use strict';

const FIRST_YEAR = 1900;
const LAST_YEAR = 2999;
const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

function isLeap(year) {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function daysInMonth(year, month) {
  if (month === 2) {
    return isLeap(year) ? 29 : 28;
  }
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** How many leap years there are before a year, from year 1 on. */
function leapsBefore(year) {
  const past = year - 1;
  return Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400);
}

/** The number of a day: 0 is the first of January 1900, a Monday. */
function toDay(year, month, dayOfMonth) {
  let day = (year - FIRST_YEAR) * 365 + leapsBefore(year) - leapsBefore(FIRST_YEAR);
  for (let earlier = 1; earlier < month; earlier += 1) {
    day += daysInMonth(year, earlier);
  }
  return day + dayOfMonth - 1;
}

/** The year, the month and the day of the month of a day. */
function fromDay(day) {
  let year = FIRST_YEAR + Math.floor(day / 366);
  while (toDay(year + 1, 1, 1) <= day) {
    year += 1;
  }
  let rest = day - toDay(year, 1, 1);
  let month = 1;
  while (rest >= daysInMonth(year, month)) {
    rest -= daysInMonth(year, month);
    month += 1;
  }
  return { year, month, dayOfMonth: rest + 1 };
}

/** The weekday of a day, from 0 (Monday). */
function weekdayOf(day) {
  return ((day % 7) + 7) % 7;
}

/** The Monday of the week of a day. */
function weekStart(day) {
  return day - weekdayOf(day);
}

function pad(number, width) {
  return String(number).padStart(width, '0');
}

function formatDate(day) {
  const { year, month, dayOfMonth } = fromDay(day);
  return `${year}-${pad(month, 2)}-${pad(dayOfMonth, 2)}`;
}

/** The day that a text such as `2031-02-28` is, or null. */
function parseDate(text) {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (match === null) {
    return null;
  }
  const [year, month, dayOfMonth] = match.slice(1).map(Number);
  const isGood =
    year >= FIRST_YEAR && year <= LAST_YEAR && month >= 1 && month <= 12 && dayOfMonth >= 1 &&
    dayOfMonth <= daysInMonth(year, month);
  return isGood ? toDay(year, month, dayOfMonth) : null;
}

module.exports = { WEEKDAYS, MONTHS, daysInMonth, toDay, fromDay, weekdayOf, weekStart, pad, formatDate, parseDate };
