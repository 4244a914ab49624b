'use strict';

/** A faulty plan. `line` is its line, from 1. */
class PlanError extends Error {
  constructor(line, message) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

/** Arguments that a command cannot do anything with. */
class UsageError extends Error {}

module.exports = { PlanError, UsageError };
