'use strict';

const { listRuns } = require('./runs');

/** The longest that a job may take, so that its runs before a period are seen. */
function longest(jobs) {
  return jobs.reduce((most, job) => Math.max(most, job.takes), 0);
}

/** The runs that are under way at a moment. */
function underWay(runs, moment) {
  return runs.filter((run) => run.moment <= moment && moment < run.moment + run.job.takes);
}

/** The moments in a period at which a run begins and its resource is used by more than it allows. */
function findClashes(plan, resource, from, to) {
  const jobs = [...plan.jobs.values()].filter((job) => job.uses === resource.name && job.takes > 0);
  const runs = listRuns(plan, jobs, from - longest(jobs), to);
  const starts = [...new Set(runs.map((run) => run.moment))].filter((moment) => moment >= from);
  return starts
    .map((moment) => ({ resource, moment, jobs: underWay(runs, moment).map((run) => run.job.name) }))
    .filter((clash) => clash.jobs.length > resource.count);
}

/** All clashes of a period, in the order of their moments, then of the resources in the plan. */
function allClashes(plan, from, to) {
  const clashes = [...plan.resources.values()].flatMap((resource) => findClashes(plan, resource, from, to));
  return clashes.sort((one, other) => one.moment - other.moment || one.resource.line - other.resource.line);
}

/** How long each resource is used in a period by runs that begin in it, in minutes. */
function loadOf(plan, resource, from, to) {
  const jobs = [...plan.jobs.values()].filter((job) => job.uses === resource.name);
  return listRuns(plan, jobs, from, to).reduce((sum, run) => sum + run.job.takes, 0);
}

/** The share of a period in hundredths, rounded down, that a resource is used. */
function shareOf(resource, minutes, from, to) {
  return Math.floor((minutes * 100) / ((to - from) * resource.count));
}

module.exports = { allClashes, loadOf, shareOf };
