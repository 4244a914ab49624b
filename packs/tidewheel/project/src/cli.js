'use strict';

const { addWork, dayReason, isWorking, workBetween } = require('./calendars');
const { checkPlan } = require('./check');
const { allClashes, loadOf, shareOf } = require('./clashes');
const { daysInMonth, formatDate, pad, parseDate, toDay, weekdayOf, WEEKDAYS } = require('./dates');
const { PlanError, UsageError } = require('./errors');
const { readPlan } = require('./plan');
const { listRuns, nextMoments, refusal, settleDay, timesOf } = require('./runs');
const { DAY, formatDuration, formatMoment, formatTime, parseDuration, parseMoment } = require('./times');

const USAGE = `usage: tidewheel COMMAND [ARGUMENT ...] < PLAN
  next JOB COUNT MOMENT | list MOMENT MOMENT [JOB ...] | explain JOB DATE | day DATE | month CALENDAR YEAR-MONTH
  add CALENDAR MOMENT DURATION | between CALENDAR MOMENT MOMENT | clashes MOMENT MOMENT | load MOMENT MOMENT | check DATE
`;

/** Reads an argument with a reader that gives null for a fault. */
function argument(text, read, what) {
  const found = read(text);
  if (found === null) {
    throw new UsageError(`'${text}' is no ${what}`);
  }
  return found;
}

function findNamed(map, name, kind) {
  if (!map.has(name)) {
    throw new UsageError(`there is no ${kind} ${name}`);
  }
  return map.get(name);
}

/** Reads two moments; the second must be larger. */
function readPeriod(first, last) {
  const from = argument(first, parseMoment, 'moment');
  const to = argument(last, parseMoment, 'moment');
  if (to <= from) {
    throw new UsageError('the period is empty');
  }
  return { from, to };
}

function parseCount(text) {
  return /^[1-9]\d{0,2}$/.test(text) ? Number(text) : null;
}

/** Reads `2031-02` as the first day of the month and how many days it has. */
function parseMonth(text) {
  const first = parseDate(`${text}-01`);
  if (first === null) {
    return null;
  }
  const [year, month] = text.split('-').map(Number);
  return { first: toDay(year, month, 1), days: daysInMonth(year, month) };
}

function runNext(plan, [name, count, moment]) {
  const job = findNamed(plan.jobs, name, 'job');
  const moments = nextMoments(plan, job, argument(count, parseCount, 'count'), argument(moment, parseMoment, 'moment'));
  return moments.length === 0 ? ['no run in ten years'] : moments.map(formatMoment);
}

function runList(plan, [first, last, ...names]) {
  const { from, to } = readPeriod(first, last);
  const jobs = names.length === 0 ? [...plan.jobs.values()] : names.map((name) => findNamed(plan.jobs, name, 'job'));
  const runs = listRuns(plan, [...new Set(jobs)], from, to);
  return [...runs.map((run) => `${formatMoment(run.moment)} ${run.job.name}`), `${runs.length} runs`];
}

function runExplain(plan, [name, date]) {
  const job = findNamed(plan.jobs, name, 'job');
  const day = argument(date, parseDate, 'date');
  const why = refusal(job, day);
  const head = `${formatDate(day)} ${WEEKDAYS[weekdayOf(day)]}: `;
  if (why !== null) {
    return [head + why];
  }
  const settled = settleDay(plan, job, day);
  const times = timesOf(plan, job).map(formatTime).join(' ') || 'none in the hours';
  return settled.day === null ? [head + settled.how] : [head + settled.how, `times: ${times}`];
}

function runDay(plan, [date]) {
  const day = argument(date, parseDate, 'date');
  const lines = [`${formatDate(day)} ${WEEKDAYS[weekdayOf(day)]}`];
  for (const calendar of plan.calendars.values()) {
    lines.push(`${calendar.name}: ${dayReason(calendar, day)}`);
  }
  const runs = listRuns(plan, [...plan.jobs.values()], day * DAY, (day + 1) * DAY);
  return [...lines, ...runs.map((run) => `${formatTime(run.moment % DAY)} ${run.job.name}`)];
}

/** A day in the table of a month: days off are in brackets. */
function monthCell(calendar, day, number) {
  return isWorking(calendar, day) ? ` ${pad(number, 2)} ` : `[${pad(number, 2)}]`;
}

function runMonth(plan, [name, text]) {
  const calendar = findNamed(plan.calendars, name, 'calendar');
  const { first, days } = argument(text, parseMonth, 'month');
  const cells = Array(weekdayOf(first)).fill('    ');
  let working = 0;
  for (let number = 1; number <= days; number += 1) {
    cells.push(monthCell(calendar, first + number - 1, number));
    working += isWorking(calendar, first + number - 1) ? 1 : 0;
  }
  const lines = [WEEKDAYS.map((word) => ` ${word}`).join('')];
  for (let index = 0; index < cells.length; index += 7) {
    lines.push(cells.slice(index, index + 7).join('').trimEnd());
  }
  return [...lines, `${working} of ${days} days work`];
}

function runAdd(plan, [name, moment, duration]) {
  const calendar = findNamed(plan.calendars, name, 'calendar');
  const start = argument(moment, parseMoment, 'moment');
  const end = addWork(calendar, start, argument(duration, parseDuration, 'duration'));
  return [end === null ? 'no work in a year' : formatMoment(end)];
}

function runBetween(plan, [name, first, last]) {
  const calendar = findNamed(plan.calendars, name, 'calendar');
  const { from, to } = readPeriod(first, last);
  return [`${formatDuration(workBetween(calendar, from, to))} of work`];
}

function runClashes(plan, [first, last]) {
  const { from, to } = readPeriod(first, last);
  const clashes = allClashes(plan, from, to);
  const lines = clashes.map((clash) => `${formatMoment(clash.moment)} ${clash.resource.name}: ${clash.jobs.join(', ')}`);
  return [...lines, `${clashes.length} clashes`];
}

function runLoad(plan, [first, last]) {
  const { from, to } = readPeriod(first, last);
  return [...plan.resources.values()].map((resource) => {
    const minutes = loadOf(plan, resource, from, to);
    return `${resource.name}: ${formatDuration(minutes)}, ${shareOf(resource, minutes, from, to)} %`;
  });
}

function runCheck(plan, [date]) {
  const findings = checkPlan(plan, argument(date, parseDate, 'date'));
  return [...findings.map((finding) => `line ${finding.line}: ${finding.text}`), `${findings.length} findings`];
}

/** The commands, with how many arguments they take at least and at most. */
const COMMANDS = {
  next: { run: runNext, least: 3, most: 3 },
  list: { run: runList, least: 2, most: Infinity },
  explain: { run: runExplain, least: 2, most: 2 },
  day: { run: runDay, least: 1, most: 1 },
  month: { run: runMonth, least: 2, most: 2 },
  add: { run: runAdd, least: 3, most: 3 },
  between: { run: runBetween, least: 3, most: 3 },
  clashes: { run: runClashes, least: 2, most: 2, fails: true },
  load: { run: runLoad, least: 2, most: 2 },
  check: { run: runCheck, least: 1, most: 1, fails: true },
};

/** Finds a command. Null if it is unknown or has a wrong number of arguments. */
function findCommand([word, ...rest]) {
  if (word === undefined || !Object.hasOwn(COMMANDS, word)) {
    return null;
  }
  const command = COMMANDS[word];
  return rest.length >= command.least && rest.length <= command.most ? command : null;
}

/** Runs the program. Gives the exit code. */
function main(words, input, write) {
  const command = findCommand(words);
  if (command === null) {
    write(USAGE);
    return 2;
  }
  try {
    const lines = command.run(readPlan(input()), words.slice(1));
    write(lines.map((line) => `${line}\n`).join(''));
    return command.fails && lines.length > 1 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof PlanError) && !(error instanceof UsageError)) {
      throw error;
    }
    write(`tidewheel: ${error.message}\n`);
    return 2;
  }
}

module.exports = { main };
