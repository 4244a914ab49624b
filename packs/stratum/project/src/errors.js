'use strict';

/** A fault at a line of a file. */
class ConfigError extends Error {
  constructor(file, line, message) {
    super(`${file}:${line}: ${message}`);
  }
}

/** Arguments that nothing can be done with. */
class UsageError extends Error {}

module.exports = { ConfigError, UsageError };
