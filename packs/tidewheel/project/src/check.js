'use strict';

const { nextMoments } = require('./runs');
const { DAY } = require('./times');
const { formatDate } = require('./dates');

/** The findings of the calendars. */
function checkCalendars(plan) {
  const found = [];
  const used = new Set([...plan.jobs.values()].map((job) => job.calendar));
  for (const calendar of plan.calendars.values()) {
    if (!used.has(calendar.name)) {
      found.push({ line: calendar.line, text: `the calendar ${calendar.name} is not used` });
    }
    const both = [...calendar.off.keys()].filter((day) => calendar.on.has(day)).sort((one, other) => one - other);
    both.forEach((day) => found.push({ line: calendar.line, text: `${formatDate(day)} is off and on in ${calendar.name}` }));
  }
  return found;
}

/** The findings of the resources. */
function checkResources(plan) {
  const used = new Set([...plan.jobs.values()].map((job) => job.uses));
  return [...plan.resources.values()].filter((resource) => !used.has(resource.name))
    .map((resource) => ({ line: resource.line, text: `the resource ${resource.name} is not used` }));
}

/** What is odd about a job, or null. It is looked for runs in the ten years from its first day, or from a day. */
function checkJob(plan, job, today) {
  if (job.from !== null && job.until !== null && job.until < job.from) {
    return `the job ${job.name} ends before it begins`;
  }
  const start = job.from === null ? today : job.from;
  if (nextMoments(plan, job, 1, start * DAY).length === 0) {
    return `the job ${job.name} never runs`;
  }
  if (job.uses !== null && job.takes === 0) {
    return `the job ${job.name} uses ${job.uses} for no time`;
  }
  return null;
}

/** All findings, in the order of the lines. */
function checkPlan(plan, today) {
  const found = [...checkCalendars(plan), ...checkResources(plan)];
  for (const job of plan.jobs.values()) {
    const text = checkJob(plan, job, today);
    if (text !== null) {
      found.push({ line: job.line, text });
    }
  }
  return found.sort((one, other) => one.line - other.line);
}

module.exports = { checkPlan };
