'use strict';

const { newCalendar } = require('./calendars');
const { WEEKDAYS, parseDate } = require('./dates');
const { MONTHS, parseDays, parseNames } = require('./days');
const { PlanError } = require('./errors');
const { DAY, parseDuration, parseSpan, parseTime } = require('./times');

const NAME = /^[a-z][a-z0-9-]*$/;
const LONGEST_PERIOD = 366;

function newJob(name, line) {
  return {
    name, line, calendar: null, days: [], months: [], weeks: 1, times: [], from: null, until: null, except: new Set(),
    whenOff: null, keepsHours: false, takes: 0, uses: null,
  };
}

/** The parts of a list with commas, without blanks around them. An empty part is a fault. */
function parts(text, line) {
  const found = text.split(',').map((part) => part.trim());
  if (found.includes('')) {
    throw new PlanError(line, 'a part is missing');
  }
  return found;
}

/** Reads each part of a list. A part for which the reader gives null is a fault. */
function readParts(text, line, read, what) {
  return parts(text, line).map((part) => {
    const found = read(part);
    if (found === null) {
      throw new PlanError(line, `'${part}' is no ${what}`);
    }
    return found;
  });
}

/** Reads one value, as `readParts` does. */
function readOne(text, line, read, what) {
  const found = read(text);
  if (found === null) {
    throw new PlanError(line, `'${text}' is no ${what}`);
  }
  return found;
}

/** Reads a date, or two with `..`, as a list of days. Null if it is faulty. */
function parsePeriod(text) {
  const [first, last, ...more] = text.split('..').map(parseDate);
  if (first === null || last === null || more.length > 0) {
    return null;
  }
  const end = last === undefined ? first : last;
  if (end < first || end - first >= LONGEST_PERIOD) {
    return null;
  }
  return Array.from({ length: end - first + 1 }, (_, index) => first + index);
}

/** Reads `30m 08:00-10:00` as times; the end is one of them if the steps meet it. Null if it is faulty. */
function parseEvery(text) {
  const [step, span, ...more] = text.split(/ +/);
  const minutes = parseDuration(step);
  const hours = span === undefined ? { from: 0, to: DAY } : parseSpan(span);
  if (minutes === null || minutes === 0 || hours === null || more.length > 0) {
    return null;
  }
  const times = [];
  for (let time = hours.from; time <= hours.to && time < DAY; time += minutes) {
    times.push(time);
  }
  return times;
}

/** A time at which a job can begin: not `24:00`. */
function parseStart(text) {
  const time = parseTime(text);
  return time === DAY ? null : time;
}

/** Adds spans to the hours. They must come in their order and not overlap. */
function addHours(calendar, spans, line) {
  for (const span of spans) {
    const last = calendar.hours[calendar.hours.length - 1];
    if (last !== undefined && span.from < last.to) {
      throw new PlanError(line, 'the hours overlap');
    }
    calendar.hours.push(span);
  }
}

/** Reads `off PERIOD [WORDS]`. */
function addOff(calendar, text, line) {
  const [period, ...words] = text.split(/ +/);
  for (const day of readOne(period, line, parsePeriod, 'period')) {
    calendar.off.set(day, words.join(' ') || 'off');
  }
}

const CALENDAR_KEYS = {
  weekdays(calendar, text, line) {
    calendar.weekdays = new Set(
      readParts(text, line, (part) => parseNames(WEEKDAYS, part), 'weekday').flat());
  },
  hours(calendar, text, line) {
    addHours(calendar, readParts(text, line, parseSpan, 'span'), line);
  },
  off: addOff,
  on(calendar, text, line) {
    readOne(text, line, parsePeriod, 'period').forEach((day) => calendar.on.add(day));
  },
};

const JOB_KEYS = {
  days(job, text, line) {
    job.days.push(...readParts(text, line, parseDays, 'day').flat());
  },
  months(job, text, line) {
    job.months.push(...readParts(text, line, (part) => parseNames(MONTHS, part), 'month').flat());
  },
  weeks(job, text, line) {
    job.weeks = readOne(text, line, (word) => (/^([1-9]|[1-4]\d|5[0-2])$/.test(word) ? Number(word) : null), 'number of weeks');
  },
  at(job, text, line) {
    job.times.push(...readParts(text, line, parseStart, 'time'));
  },
  every(job, text, line) {
    job.times.push(...readOne(text, line, parseEvery, 'step'));
  },
  from(job, text, line) {
    job.from = readOne(text, line, parseDate, 'date');
  },
  until(job, text, line) {
    job.until = readOne(text, line, parseDate, 'date');
  },
  except(job, text, line) {
    readParts(text, line, parsePeriod, 'period').flat().forEach((day) => job.except.add(day));
  },
  calendar(job, text) {
    job.calendar = text;
  },
  'when-off'(job, text, line) {
    const words = ['run', 'skip', 'before', 'after'];
    job.whenOff = readOne(text, line, (word) => (words.includes(word) ? word : null), 'way');
  },
  keep(job, text, line) {
    job.keepsHours = readOne(text, line, (word) => (word === 'hours' ? true : null), 'thing to keep');
  },
  takes(job, text, line) {
    job.takes = readOne(text, line, parseDuration, 'duration');
  },
  uses(job, text) {
    job.uses = text;
  },
};

/** Begins a calendar or a job. Gives what reads its lines. */
function beginBlock(plan, kind, name, line) {
  const blocks = kind === 'calendar' ? plan.calendars : plan.jobs;
  if (!NAME.test(name)) {
    throw new PlanError(line, `'${name}' is no name`);
  }
  if (blocks.has(name)) {
    throw new PlanError(line, `there is a ${kind} ${name} already`);
  }
  const block = kind === 'calendar' ? newCalendar(name, line) : newJob(name, line);
  blocks.set(name, block);
  return { block, keys: kind === 'calendar' ? CALENDAR_KEYS : JOB_KEYS };
}

/** Reads `resource NAME [COUNT]`. */
function addResource(plan, text, line) {
  const [name, count = '1', ...more] = text.split(/ +/);
  if (!NAME.test(name) || !/^[1-9]\d?$/.test(count) || more.length > 0) {
    throw new PlanError(line, 'a name and a number from 1 to 99 were expected');
  }
  if (plan.resources.has(name)) {
    throw new PlanError(line, `there is a resource ${name} already`);
  }
  plan.resources.set(name, { name, line, count: Number(count) });
}

/** Checks what a job names, and that its lines fit together. */
function checkJob(plan, job) {
  const unknown = (kind, name) => new PlanError(job.line, `the job ${job.name} names the unknown ${kind} ${name}`);
  if (job.calendar !== null && !plan.calendars.has(job.calendar)) {
    throw unknown('calendar', job.calendar);
  }
  if (job.uses !== null && !plan.resources.has(job.uses)) {
    throw unknown('resource', job.uses);
  }
  if (job.calendar === null && (job.whenOff !== null || job.keepsHours)) {
    throw new PlanError(job.line, `the job ${job.name} needs a calendar`);
  }
  if (job.weeks > 1 && job.from === null) {
    throw new PlanError(job.line, `the job ${job.name} needs a first day`);
  }
}

/** Fills in what a job does not say, and sorts its times. */
function settleJob(plan, job) {
  checkJob(plan, job);
  if (job.days.length === 0) {
    job.days.push({ kind: 'daily' });
  }
  if (job.times.length === 0) {
    job.times.push(0);
  }
  job.whenOff = job.whenOff || (job.calendar === null ? 'run' : 'skip');
  job.times = [...new Set(job.times)].sort((one, other) => one - other);
}

/** Reads one line that is no note. Gives the block that is open then. */
function readLine(plan, open, text, line) {
  const [, indent, key, rest] = /^(\s*)(\S+)\s*(.*)$/.exec(text);
  if (rest === '') {
    throw new PlanError(line, `something was expected behind ${key}`);
  }
  if (indent === '') {
    if (key === 'resource') {
      addResource(plan, rest, line);
      return null;
    }
    if (key !== 'calendar' && key !== 'job') {
      throw new PlanError(line, `'${key}' is unknown`);
    }
    return beginBlock(plan, key, rest, line);
  }
  if (open === null || !Object.hasOwn(open.keys, key)) {
    throw new PlanError(line, `'${key}' is unknown here`);
  }
  open.keys[key](open.block, rest, line);
  return open;
}

/** Reads a plan. */
function readPlan(text) {
  const plan = { calendars: new Map(), jobs: new Map(), resources: new Map() };
  let open = null;
  text.split('\n').forEach((whole, index) => {
    const content = whole.replace(/#.*$/, '').trimEnd();
    if (content !== '') {
      open = readLine(plan, open, content, index + 1);
    }
  });
  for (const job of plan.jobs.values()) {
    settleJob(plan, job);
  }
  return plan;
}

module.exports = { readPlan };
