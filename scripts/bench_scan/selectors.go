package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Requirement is one of a label or field selector; values are empty where only the key counts.
type Requirement struct {
	key     string
	values  []string
	negated bool
}

// Requirements all have to hold.
type Requirements []Requirement

var (
	setForm   = regexp.MustCompile(`^([^\s=!,()]+)\s+(in|notin)\s+\(([^)]*)\)$`)
	equalForm = regexp.MustCompile(`^([^\s=!,()]+)\s*(==|=|!=)\s*([^\s=!,()]*)$`)
	bareForm  = regexp.MustCompile(`^(!?)\s*([^\s=!,()]+)$`)
)

func selectors(labels, fields string) (Requirements, Requirements, error) {
	ofLabels, err := requirements(labels)
	if err != nil {
		return nil, nil, err
	}
	ofFields, err := requirements(fields)
	return ofLabels, ofFields, err
}

func requirements(text string) (Requirements, error) {
	var all Requirements
	for _, part := range terms(text) {
		if found := setForm.FindStringSubmatch(part); found != nil {
			values := strings.Split(strings.ReplaceAll(found[3], " ", ""), ",")
			all = append(all, Requirement{key: found[1], values: values, negated: found[2] == "notin"})
		} else if found := equalForm.FindStringSubmatch(part); found != nil {
			all = append(all, Requirement{key: found[1], values: []string{found[3]}, negated: found[2] == "!="})
		} else if found := bareForm.FindStringSubmatch(part); found != nil {
			all = append(all, Requirement{key: found[2], negated: found[1] == "!"})
		} else {
			return nil, fmt.Errorf("unable to parse requirement: '%s'", part)
		}
	}
	return all, nil
}

// terms splits at the commas outside of parentheses.
func terms(text string) []string {
	var all []string
	depth, from := 0, 0
	for i, letter := range text + "," {
		switch {
		case letter == '(':
			depth++
		case letter == ')':
			depth--
		case letter == ',' && depth == 0:
			if part := strings.TrimSpace(text[from:i]); part != "" {
				all = append(all, part)
			}
			from = i + 1
		}
	}
	return all
}

func (r Requirements) match(value func(key string) (string, bool)) bool {
	for _, one := range r {
		found, present := value(one.key)
		holds := present && (one.values == nil || slices.Contains(one.values, found))
		if holds == one.negated {
			return false
		}
	}
	return true
}
