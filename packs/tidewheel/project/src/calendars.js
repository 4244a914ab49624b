'use strict';

const { weekdayOf } = require('./dates');
const { DAY } = require('./times');

/** How far a day is moved at most. */
const FARTHEST = 31;

/** An empty calendar: all days work, all of the time. */
function newCalendar(name, line) {
  return { name, line, weekdays: new Set([0, 1, 2, 3, 4, 5, 6]), hours: [], off: new Map(), on: new Set() };
}

/** Why a day is as it is: `work`, `extra`, `weekday off`, or the words of a day off. */
function dayReason(calendar, day) {
  if (calendar.on.has(day)) {
    return 'extra';
  }
  if (calendar.off.has(day)) {
    return calendar.off.get(day);
  }
  return calendar.weekdays.has(weekdayOf(day)) ? 'work' : 'weekday off';
}

function isWorking(calendar, day) {
  const reason = dayReason(calendar, day);
  return calendar.on.has(day) || (!calendar.off.has(day) && reason === 'work');
}

/** The next working day in a direction (1 or -1), without the day itself. Null if there is none near. */
function nearestWorking(calendar, day, direction) {
  for (let step = 1; step <= FARTHEST; step += 1) {
    if (isWorking(calendar, day + step * direction)) {
      return day + step * direction;
    }
  }
  return null;
}

/** The hours of a working day, in their order. */
function hoursOf(calendar) {
  return calendar.hours.length === 0 ? [{ from: 0, to: DAY }] : calendar.hours;
}

/** Whether a minute of a day is in the hours. The end of a span is not. */
function isInHours(calendar, minute) {
  return hoursOf(calendar).some((span) => minute >= span.from && minute < span.to);
}

/** The spans of a day in which work is done, as moments. */
function workSpans(calendar, day) {
  if (!isWorking(calendar, day)) {
    return [];
  }
  return hoursOf(calendar).map((span) => ({ from: day * DAY + span.from, to: day * DAY + span.to }));
}

/** The moment when so many minutes of work are done after another moment. Null if the calendar has too little. */
function addWork(calendar, moment, minutes) {
  let rest = minutes;
  let idle = 0;
  for (let day = Math.floor(moment / DAY); idle <= 366; day += 1) {
    idle += 1;
    for (const span of workSpans(calendar, day)) {
      const from = Math.max(span.from, moment);
      if (from >= span.to) {
        continue;
      }
      idle = 0;
      if (rest <= span.to - from) {
        return from + rest;
      }
      rest -= span.to - from;
    }
  }
  return null;
}

/** The minutes of work between two moments. */
function workBetween(calendar, from, to) {
  let minutes = 0;
  for (let day = Math.floor(from / DAY); day * DAY < to; day += 1) {
    for (const span of workSpans(calendar, day)) {
      minutes += Math.max(0, Math.min(span.to, to) - Math.max(span.from, from));
    }
  }
  return minutes;
}

module.exports = {
  newCalendar, dayReason, isWorking, nearestWorking, isInHours, addWork, workBetween,
};
