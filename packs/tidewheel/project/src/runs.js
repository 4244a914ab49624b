'use strict';

const { isInHours, isWorking, nearestWorking } = require('./calendars');
const { formatDate } = require('./dates');
const { monthHas, ruleHas, weekHas } = require('./days');
const { DAY } = require('./times');

/** How many days are looked at for the next runs, and how many at once. */
const FARTHEST = 3660;
const WINDOW = 61;
/** A run is moved by at most so many days. */
const MOVED = 31;

/** Why the rules of a job do not have a day, or null if they have it. */
function refusal(job, day) {
  if (job.from !== null && day < job.from) {
    return 'before the first day';
  }
  if (job.until !== null && day > job.until) {
    return 'behind the last day';
  }
  if (!monthHas(job.months, day)) {
    return 'not in its months';
  }
  if (job.weeks > 1 && !weekHas(job.weeks, job.from, day)) {
    return 'not in its weeks';
  }
  if (!job.days.some((rule) => ruleHas(rule, day))) {
    return 'not on its days';
  }
  return job.except.has(day) ? 'excepted' : null;
}

/** What becomes of a day of the rules: the day of the run (null if there is none), and how it came to that. */
function settleDay(plan, job, day) {
  const calendar = plan.calendars.get(job.calendar);
  if (job.whenOff === 'run' || isWorking(calendar, day)) {
    return { day, how: 'runs' };
  }
  if (job.whenOff === 'skip') {
    return { day: null, how: 'skipped, the day is off' };
  }
  const moved = nearestWorking(calendar, day, job.whenOff === 'before' ? -1 : 1);
  if (moved === null) {
    return { day: null, how: 'skipped, no working day is near' };
  }
  return { day: moved, how: `moved to ${formatDate(moved)}` };
}

/** The times of a day at which a job runs. */
function timesOf(plan, job) {
  if (!job.keepsHours) {
    return job.times;
  }
  const calendar = plan.calendars.get(job.calendar);
  return job.times.filter((minute) => isInHours(calendar, minute));
}

/** The moments of the runs of a job from one moment to before another, in their order and each once. */
function momentsOf(plan, job, from, to) {
  const found = new Set();
  const times = timesOf(plan, job);
  const last = Math.floor(to / DAY) + MOVED;
  for (let day = Math.floor(from / DAY) - MOVED; day <= last; day += 1) {
    const run = refusal(job, day) === null ? settleDay(plan, job, day).day : null;
    if (run === null) {
      continue;
    }
    times.map((minute) => run * DAY + minute).filter((moment) => moment >= from && moment < to)
      .forEach((moment) => found.add(moment));
  }
  return [...found].sort((one, other) => one - other);
}

/** The runs of some jobs, in the order of their moments, then of the plan. */
function listRuns(plan, jobs, from, to) {
  const runs = jobs.flatMap((job) => momentsOf(plan, job, from, to).map((moment) => ({ job, moment })));
  return runs.sort((one, other) => one.moment - other.moment || one.job.line - other.job.line);
}

/** The next so many moments of a job from a moment on; fewer if there are no more in ten years. */
function nextMoments(plan, job, count, from) {
  const found = [];
  for (let days = 0; days < FARTHEST && found.length < count; days += WINDOW) {
    const begin = from + days * DAY;
    found.push(...momentsOf(plan, job, begin, begin + WINDOW * DAY));
  }
  return found.slice(0, count);
}

module.exports = { refusal, settleDay, timesOf, listRuns, nextMoments };
