package touchstone

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSON that is read strictly, and its canonical form (RFC 8785). encoding/json alone takes repeated keys, keys of another case,
// lone surrogates and invalid UTF-8, on which readers disagree.

const jsonDepthMax = 32

// parseJSON gives a tree of map[string]any, []any, string, int64 and nil.
func parseJSON(text []byte) (any, error) {
	switch {
	case !utf8.Valid(text):
		return nil, errors.New("not UTF-8")
	case !json.Valid(text):
		return nil, errors.New("not JSON")
	case hasLoneSurrogate(text):
		return nil, errors.New("a lone surrogate")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value, err := parseValue(decoder, jsonDepthMax)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return value, nil
}

func parseValue(decoder *json.Decoder, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if depth == 0 {
		return nil, errors.New("nested too deeply")
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return parseList(decoder, depth-1)
		}
		return parseObject(decoder, depth-1)
	case json.Number:
		number, err := strconv.ParseInt(token.String(), 10, 64)
		if err != nil || token == "-0" {
			return nil, fmt.Errorf("%.40s is no integer in range", token)
		}
		return number, nil
	case string, nil:
		return token, nil
	}
	return nil, fmt.Errorf("unexpected %v", token)
}

func parseList(decoder *json.Decoder, depth int) (any, error) {
	list := []any{}
	for decoder.More() {
		item, err := parseValue(decoder, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := decoder.Token()
	return list, err
}

func parseObject(decoder *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("the key %q is repeated", name)
		}
		if object[name], err = parseValue(decoder, depth); err != nil {
			return nil, err
		}
	}
	_, err := decoder.Token()
	return object, err
}

// hasLoneSurrogate looks for an escape \ud800 to \udfff that is not one of a pair, in valid JSON.
func hasLoneSurrogate(text []byte) bool {
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if !isSurrogate(text[i:], 0xd800) && !isSurrogate(text[i:], 0xdc00) {
			// The escaped character may be a backslash.
			i++
			continue
		}
		if !isSurrogate(text[i:], 0xd800) || !isSurrogate(text[i+6:], 0xdc00) {
			return true
		}
		i += 11
	}
	return false
}

// isSurrogate says whether the text begins with an escape of the 1,024 code units from low on.
func isSurrogate(text []byte, low uint64) bool {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return err == nil && unit&^0x3ff == low
}

// canonicalJSON writes a tree of ASCII keys, text, integers, lists and null.
func canonicalJSON(value any) []byte {
	var out strings.Builder
	writeCanonical(&out, value)
	return []byte(out.String())
}

func writeCanonical(out *strings.Builder, value any) {
	switch value := value.(type) {
	case nil:
		out.WriteString("null")
	case int64:
		out.WriteString(strconv.FormatInt(value, 10))
	case string:
		writeCanonicalText(out, value)
	case []any:
		out.WriteByte('[')
		for i, item := range value {
			if i > 0 {
				out.WriteByte(',')
			}
			writeCanonical(out, item)
		}
		out.WriteByte(']')
	case map[string]any:
		names := make([]string, 0, len(value))
		for name := range value {
			names = append(names, name)
		}
		sort.Strings(names)
		out.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				out.WriteByte(',')
			}
			writeCanonicalText(out, name)
			out.WriteByte(':')
			writeCanonical(out, value[name])
		}
		out.WriteByte('}')
	}
}

// writeCanonicalText escapes as RFC 8785 section 3.2.2.2 says; encoding/json escapes more.
func writeCanonicalText(out *strings.Builder, text string) {
	short := map[byte]byte{'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r', '"': '"', '\\': '\\'}
	out.WriteByte('"')
	for _, c := range []byte(text) {
		switch escape, ok := short[c]; {
		case ok:
			out.WriteByte('\\')
			out.WriteByte(escape)
		case c < 0x20:
			fmt.Fprintf(out, "\\u%04x", c)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
}

// object reads the members of a JSON object. The first error of a whole tree stays, in failed.
type object struct {
	place   string
	members map[string]any
	known   map[string]bool
	failed  *error
}

func newObject(value any, place string, failed *error) *object {
	members, ok := value.(map[string]any)
	if !ok {
		members = map[string]any{}
	}
	o := &object{place, members, map[string]bool{}, failed}
	if !ok {
		o.fail("", "must be an object")
	}
	return o
}

func (o *object) fail(name, reason string) {
	if *o.failed == nil {
		*o.failed = fmt.Errorf("%s%s: %s", o.place, name, reason)
	}
}

func (o *object) member(name string) any {
	o.known[name] = true
	value, ok := o.members[name]
	if !ok {
		o.fail(name, "is missing")
	}
	return value
}

// setDefault gives a member that may be missing its value.
func (o *object) setDefault(name string, value any) {
	if _, ok := o.members[name]; !ok {
		o.members[name] = value
	}
}

func (o *object) integer(name string, low, high int64) int64 {
	value, ok := o.member(name).(int64)
	if !ok || value < low || value > high {
		o.fail(name, fmt.Sprintf("must be an integer from %d to %d", low, high))
		return low
	}
	return value
}

func (o *object) text(name string) string {
	value, ok := o.member(name).(string)
	if !ok {
		o.fail(name, "must be text")
	}
	return value
}

// hexadecimal reads bytes, count of them unless that is below 0. The tree's text becomes lower-case, its normal form.
func (o *object) hexadecimal(name string, count int) []byte {
	data, err := hex.DecodeString(o.text(name))
	if err != nil || count >= 0 && len(data) != count {
		o.fail(name, "must be hexadecimal of its length")
		return nil
	}
	o.members[name] = hex.EncodeToString(data)
	return data
}

func (o *object) list(name string) []any {
	list, ok := o.member(name).([]any)
	if !ok {
		o.fail(name, "must be a list")
	}
	return list
}

func (o *object) object(name string) *object {
	return newObject(o.member(name), o.place+name+".", o.failed)
}

// objects reads a list of objects.
func (o *object) objects(name string) []*object {
	var objects []*object
	for i, item := range o.list(name) {
		objects = append(objects, newObject(item, fmt.Sprintf("%s%s[%d].", o.place, name, i), o.failed))
	}
	return objects
}

// hexadecimals reads a list of byte strings.
func (o *object) hexadecimals(name string, count int) [][]byte {
	var all [][]byte
	list := o.list(name)
	for i, item := range list {
		single := &object{o.place + name, map[string]any{"": item}, o.known, o.failed}
		all = append(all, single.hexadecimal("", count))
		list[i] = single.members[""]
	}
	return all
}

// finish refuses members that nobody read.
func (o *object) finish() {
	for name := range o.members {
		if !o.known[name] {
			o.fail(name, "is unknown")
		}
	}
}
