package main

import (
	"fmt"
	"sort"
	"strings"
)

// mostSteps is how many releases are tried at most.
const mostSteps = 10000

// demand is a need, and who has it.
type demand struct {
	by   string
	need Need
}

// Solution has a release for each package that is needed, and who needs it.
type Solution struct {
	chosen   map[string]*Release
	demands  map[string][]demand
	features map[string]map[string]bool
	queue    []string
}

// Resolver looks for a solution.
type Resolver struct {
	registry *Registry
	locked   map[string]Version
	steps    int
	deepest  int
	problem  string
}

// label is a release in words.
func (release *Release) label() string {
	return release.Name + " " + release.Version.String()
}

// copySolution gives a copy that can be changed alone.
func copySolution(from *Solution) *Solution {
	to := &Solution{
		chosen:   map[string]*Release{},
		demands:  map[string][]demand{},
		features: map[string]map[string]bool{},
		queue:    append([]string(nil), from.queue...),
	}
	for name, release := range from.chosen {
		to.chosen[name] = release
	}
	for name, demands := range from.demands {
		to.demands[name] = append([]demand(nil), demands...)
	}
	for name, features := range from.features {
		to.features[name] = map[string]bool{}
		for feature := range features {
			to.features[name][feature] = true
		}
	}
	return to
}

// fits tells whether a release fulfils all that is demanded of its package.
func (solution *Solution) fits(release *Release) bool {
	for _, demand := range solution.demands[release.Name] {
		if !demand.need.Constraint.Allows(release.Version) {
			return false
		}
	}
	return true
}

// conflict gives what a chosen release and another one have against each other, or an empty text.
func (solution *Solution) conflict(release *Release) string {
	for _, name := range solution.chosenNames() {
		other := solution.chosen[name]
		if refuses(release, other) || refuses(other, release) {
			return fmt.Sprintf("%s conflicts with %s", release.label(), other.label())
		}
	}
	return ""
}

// refuses tells whether a release names another one as a conflict.
func refuses(release, other *Release) bool {
	for _, conflict := range release.Conflicts {
		if conflict.Name == other.Name && conflict.Constraint.Allows(other.Version) {
			return true
		}
	}
	return false
}

// chosenNames gives the names of the chosen packages in their order.
func (solution *Solution) chosenNames() []string {
	var names []string
	for name := range solution.chosen {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// featureNames gives the features of a package that are on, in their order.
func (solution *Solution) featureNames(name string) []string {
	var features []string
	for feature := range solution.features[name] {
		features = append(features, feature)
	}
	sort.Strings(features)
	return features
}

// fail notes a problem, if it was met with more packages chosen than any before.
func (resolver *Resolver) fail(solution *Solution, text string, values ...any) {
	if resolver.problem == "" || len(solution.chosen) > resolver.deepest {
		resolver.deepest = len(solution.chosen)
		resolver.problem = fmt.Sprintf(text, values...)
	}
}

// demandsText gives the demands of a package in words.
func (solution *Solution) demandsText(name string) string {
	var texts []string
	for _, demand := range solution.demands[name] {
		texts = append(texts, fmt.Sprintf("%s (%s)", demand.need.Constraint.text, demand.by))
	}
	return strings.Join(texts, ", ")
}

// demandNeed adds a need. False if a release is chosen that does not fulfil it, or lacks a feature.
func (resolver *Resolver) demandNeed(solution *Solution, by string, need Need) bool {
	solution.demands[need.Name] = append(solution.demands[need.Name], demand{by, need})
	if solution.features[need.Name] == nil {
		solution.features[need.Name] = map[string]bool{}
	}
	release := solution.chosen[need.Name]
	if release == nil {
		for _, feature := range need.Features {
			solution.features[need.Name][feature] = true
		}
		solution.enqueue(need.Name)
		return true
	}
	if !need.Constraint.Allows(release.Version) {
		resolver.fail(solution, "%s is chosen, but needed: %s", release.label(), solution.demandsText(need.Name))
		return false
	}
	return resolver.turnOn(solution, release, need.Features)
}

// enqueue adds a package to those that wait, once.
func (solution *Solution) enqueue(name string) {
	for _, waiting := range solution.queue {
		if waiting == name {
			return
		}
	}
	solution.queue = append(solution.queue, name)
}

// turnOn demands what features of a chosen release need. Those that are on already need nothing more.
func (resolver *Resolver) turnOn(solution *Solution, release *Release, features []string) bool {
	for _, feature := range features {
		if solution.features[release.Name][feature] {
			continue
		}
		solution.features[release.Name][feature] = true
		if !resolver.demandFeature(solution, release, feature) {
			return false
		}
	}
	return true
}

// demandFeature demands the optional needs of a feature, and of the features that it turns on.
func (resolver *Resolver) demandFeature(solution *Solution, release *Release, feature string) bool {
	words, isThere := release.Features[feature]
	if !isThere {
		resolver.fail(solution, "%s has no feature %s", release.label(), feature)
		return false
	}
	for _, word := range words {
		need, isNeed := release.Optional[word]
		isGood := false
		if isNeed {
			isGood = resolver.demandNeed(solution, release.label(), need)
		} else {
			isGood = resolver.turnOn(solution, release, []string{word})
		}
		if !isGood {
			return false
		}
	}
	return true
}

// candidates gives the releases of a package that may be chosen: the locked one first, then the newest. Yanked ones
// only count if they are locked.
func (resolver *Resolver) candidates(solution *Solution, name string) []*Release {
	var first, rest []*Release
	locked, isLocked := resolver.locked[name]
	for _, release := range resolver.registry.releases[name] {
		isFirst := isLocked && release.Version.Compare(locked) == 0
		if !solution.fits(release) || (release.IsYanked && !isFirst) {
			continue
		}
		if isFirst {
			first = append(first, release)
		} else {
			rest = append(rest, release)
		}
	}
	return append(first, rest...)
}

// choose puts a release into a solution, with all that it needs. False if that cannot be.
func (resolver *Resolver) choose(solution *Solution, release *Release) bool {
	if conflict := solution.conflict(release); conflict != "" {
		resolver.fail(solution, "%s", conflict)
		return false
	}
	solution.chosen[release.Name] = release
	features := solution.featureNames(release.Name)
	for _, need := range release.Needs {
		if !resolver.demandNeed(solution, release.label(), need) {
			return false
		}
	}
	for _, feature := range features {
		if !resolver.demandFeature(solution, release, feature) {
			return false
		}
	}
	return true
}

// search chooses a release for the package that waits longest, then for all others. Nil if there is no solution.
func (resolver *Resolver) search(solution *Solution) *Solution {
	if len(solution.queue) == 0 {
		return solution
	}
	name := solution.queue[0]
	candidates := resolver.candidates(solution, name)
	if len(candidates) == 0 {
		resolver.failEmpty(solution, name)
		return nil
	}
	for _, release := range candidates {
		resolver.steps++
		if resolver.steps > mostSteps {
			resolver.problem = "it is too hard"
			return nil
		}
		next := copySolution(solution)
		next.queue = next.queue[1:]
		if !resolver.choose(next, release) {
			continue
		}
		if found := resolver.search(next); found != nil {
			return found
		}
	}
	return nil
}

// failEmpty notes that no release of a package may be chosen.
func (resolver *Resolver) failEmpty(solution *Solution, name string) {
	if len(resolver.registry.releases[name]) == 0 {
		resolver.fail(solution, "there is no package %s, needed: %s", name, solution.demandsText(name))
		return
	}
	resolver.fail(solution, "no version of %s fits: %s", name, solution.demandsText(name))
}

// resolve looks for a solution for a project. With `withDev`, the needs of its developers count, too.
func resolve(registry *Registry, project *Project, locked map[string]Version, withDev bool) (*Solution, error) {
	resolver := &Resolver{registry: registry, locked: locked}
	solution := copySolution(&Solution{})
	for _, need := range project.Needs {
		if !need.IsDev || withDev {
			resolver.demandNeed(solution, project.Name, need)
		}
	}
	found := resolver.search(solution)
	if found == nil {
		return nil, fmt.Errorf("no solution: %s", resolver.problem)
	}
	return found, nil
}
