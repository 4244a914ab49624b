'use strict';

const { formatDate, pad, parseDate } = require('./dates');

const DAY = 24 * 60;

/** The minute of a day that a text such as `09:30` is, up to `24:00`, or null. */
function parseTime(text) {
  const match = /^(\d\d):(\d\d)$/.exec(text);
  if (match === null) {
    return null;
  }
  const minute = Number(match[1]) * 60 + Number(match[2]);
  return Number(match[2]) < 60 && minute <= DAY ? minute : null;
}

function formatTime(minute) {
  return `${pad(Math.floor(minute / 60), 2)}:${pad(minute % 60, 2)}`;
}

/** The minutes of a text such as `1d2h30m`: units from the largest to the smallest, each at most once. Null if it is none. */
function parseDuration(text) {
  const match = /^(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,4})m)?$/.exec(text);
  if (match === null || text === '') {
    return null;
  }
  const [days, hours, minutes] = match.slice(1).map((digits) => Number(digits || 0));
  return days * DAY + hours * 60 + minutes;
}

/** A duration in hours and minutes, without units that are zero. */
function formatDuration(minutes) {
  if (minutes === 0) {
    return '0m';
  }
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  return (hours > 0 ? `${hours}h` : '') + (rest > 0 ? `${rest}m` : '');
}

/** A moment counts minutes from the begin of day 0. A date alone is its begin. */
function parseMoment(text) {
  const [date, time, ...more] = text.split('T');
  const day = parseDate(date);
  const minute = time === undefined ? 0 : parseTime(time);
  return day === null || minute === null || minute === DAY || more.length > 0 ? null : day * DAY + minute;
}

function formatMoment(moment) {
  return `${formatDate(Math.floor(moment / DAY))} ${formatTime(moment % DAY)}`;
}

/** Reads `09:00-17:00`: a span of a day that is not empty. Null if it is none. */
function parseSpan(text) {
  const [from, to, ...more] = text.split('-').map(parseTime);
  if (from === null || to === null || to === undefined || more.length > 0) {
    return null;
  }
  return from < to ? { from, to } : null;
}

module.exports = {
  DAY, parseTime, formatTime, parseDuration, formatDuration, parseMoment, formatMoment, parseSpan,
};
