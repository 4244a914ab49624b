//! Campaigns and templates for tests.

use crate::model::{
    CampaignConfig, CampaignName, DatasetConfig, EpisodeLimits, ModelAssignment, ModelConfig,
    ModelPrice, ModelRouting, Money, QualityPolicy, SandboxSpec, TaskSelection, TokenRates,
};
use crate::task::Catalog;

const LETTER: &str = "\
schema: synthd/template@1
id: unit/letter
title: A letter
category: unit
difficulty: easy
expected_steps: {min: 2, max: 9}
parameters:
  word: {token: {length: 8}}
environment:
  files: [{path: start, content: '{{ word }}'}]
instruction: Write {{ word }} into letter.
solution:
  - {think: look, run: 'get start'}
  - {think: write, run: 'put letter {{ word }}'}
  - {think: sign, run: 'put name me'}
verification:
  checks:
    - {name: letter, weight: 3, run: 'is letter {{ word }}'}
    - {name: name, run: 'is name me'}
  milestones:
    - {name: begun, weight: 0.25, run: 'has letter'}
  cheats:
    - {name: empty, steps: [{run: 'put letter nothing'}]}
";

const COIN: &str = "\
schema: synthd/template@1
id: unit/coin
title: A coin
category: unit
difficulty: hard
expected_steps: {min: 1, max: 9}
parameters:
  face: {choice: [heads, tails]}
environment: {}
instruction: Toss {{ face }}.
solution: [{run: 'put coin {{ face }}'}]
verification:
  checks:
    - {name: tossed, run: flip}
";

const STAGES: &str = "\
schema: synthd/template@2
id: unit/stages
title: A letter in three stages
category: unit
difficulty: easy
expected_steps: {min: 4, max: 9}
parameters:
  word: {token: {length: 8}}
environment:
  files: [{path: start, content: '{{ word }}'}]
stages:
  - name: copy
    instruction: Write {{ word }} into letter.
    solution:
      - {think: look, run: 'get start'}
      - {think: write, run: 'put letter {{ word }}'}
    verification:
      checks:
        - {name: letter, weight: 3, run: 'is letter {{ word }}'}
        - {name: kept, run: 'is start {{ word }}'}
      milestones:
        - {name: begun, run: 'has letter'}
      cheats:
        - {name: empty, steps: [{run: 'put letter nothing'}]}
        - {name: moved, steps: [{run: 'put letter {{ word }}'}, {run: 'put start nothing'}]}
  - name: sign
    instruction: Sign the letter.
    solution:
      - {think: sign, run: 'put name me'}
    verification:
      run: 'is name me'
      milestones:
        - {name: signed, run: 'has name'}
      cheats:
        - {name: other, steps: [{run: 'put name you'}]}
    weight: 2
    turns: 3
  - name: send
    instruction: Send the letter.
    solution:
      - {think: send, run: 'put sent yes'}
    verification:
      run: 'is sent yes'
      cheats:
        - {name: half, steps: [{run: 'put sent no'}]}
";

/// A template with three stages, with its id. Their shares in the score are a quarter, a half and a
/// quarter. It is not in [`catalog`].
pub const STAGED: (&str, &str) = ("unit/stages", STAGES);

/// The templates, by id.
pub const TEMPLATES: [(&str, &str); 2] = [("unit/letter", LETTER), ("unit/coin", COIN)];

/// A catalog of [`TEMPLATES`].
pub fn catalog() -> Catalog {
    Catalog::read(TEMPLATES).unwrap_or_default()
}

/// A free campaign of `tasks` letters with the model `fake/one`, four at once.
pub fn campaign(name: &str, tasks: u32) -> CampaignConfig {
    CampaignConfig {
        images: Default::default(),
        digests: Default::default(),
        price_table: None,
        name: CampaignName(name.to_owned()),
        kind: Default::default(),
        completions: Default::default(),
        seed: 7,
        tasks: TaskSelection {
            templates: vec!["unit/letter".to_owned()],
            template_dirs: Vec::new(),
            exclude: Vec::new(),
            per_template: tasks,
            draw: Default::default(),
            samples: Default::default(),
        },
        models: vec![priced("fake/one", 0)],
        assign: ModelAssignment::Cross,
        needs: Default::default(),
        scaffolds: vec!["minimal".to_owned()],
        agents: Default::default(),
        prompts: Default::default(),
        backend: "fake".to_owned(),
        sandbox: SandboxSpec { image: "base".to_owned(), ..SandboxSpec::default() },
        pull: crate::model::ImagePullPolicy::default(),
        episode: EpisodeLimits::default(),
        concurrency: 4,
        budget: None,
        day_budget: None,
        episode_budget: None,
        quality: QualityPolicy::default(),
        dataset: DatasetConfig::default(),
        diversity: None,
        retention: Default::default(),
    }
}

/// A model at so many nano-dollars a token.
pub fn priced(name: &str, nanos_per_token: u64) -> ModelConfig {
    let price = Money::from_nanos(nanos_per_token * 1_000_000);
    ModelConfig {
        context: None,
        recorded: None,
        name: name.to_owned(),
        price: ModelPrice {
            rates: TokenRates {
                input_per_million: price,
                output_per_million: price,
                ..TokenRates::default()
            },
            tiers: Vec::new(),
        },
        weight: 1,
        concurrency: 64,
        requests_per_minute: None,
        endpoint: None,
        routing: ModelRouting::default(),
        sampling: Default::default(),
        sample_seed: None,
    }
}
