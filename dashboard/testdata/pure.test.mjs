import test from 'node:test';
import assert from 'node:assert/strict';
import { num, rate, pct, dur, times, ago, ahead, words, sum } from '../assets/format.js';
import { parse, match, matchNote } from '../assets/filter.js';
import { apply } from '../assets/stream.js';

test('numbers', () => {
	for (const [got, want] of [
		[num(null), '–'], [num(0), '0'], [num(0.123), '0.12'], [num(3.44), '3.4'], [num(44.4), '44'], [num(18712), '18.7 k'], [num(2.5e6), '2.50 M'], [num(4.8e7), '48.0 M'],
		[rate(420), '420/s'], [rate(null), '–'], [times(1.069), '1.07×'], [times(null), '–'],
		[pct(1), '100 %'], [pct(0), '0 %'], [pct(0.999999), '> 99.99 %'], [pct(0.99989), '99.98 %'], [pct(0.886), '88.6 %'], [pct(0.0004), '0.04 %'], [pct(null), '–'],
		[dur(0.0000012), '1 µs'], [dur(0.0091), '9.1 ms'], [dur(0.31), '310 ms'], [dur(4.94), '4.9 s'], [dur(94), '1 m 34 s'], [dur(10800), '3 h 0 m'], [dur(200000), '2 d'], [dur(-1), '0 s'], [dur(null), '–'],
		[ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:07Z')), '7.0 s'], [ahead('2026-01-01T00:00:07Z', Date.parse('2026-01-01T00:00:00Z')), '7.0 s'], [ago('', 0), '–'],
		[words('success_first_try'), 'success first try'], [words(), ''], [sum({ a: 1, b: 2 }), 3], [sum(null), 0],
	]) assert.equal(got, want);
});

test('filters', () => {
	const n = { policy: 'binance.place_order', class: 'ambiguous', text: 'Timeout (504)', kind: 'failed' };
	for (const [f, want] of [
		['', true], ['policy:binance.*', true], ['policy:okx.*', false], ['-policy:okx.*', true], ['class:AMBIGUOUS timeout', true], ['timeout -504', false],
		['policy:binance', false], ['kind:f?iled', true], ['outcome:exhausted', false], ['nofield:x', false], ['(504)', true], ['-', false],
	]) assert.equal(matchNote(parse(f), n), want, f);
	assert.ok(match(parse('class:ambiguous policy:a*'), { policy: 'abc' }, []), 'fields that a row lacks do not count');
});

test('frames', () => {
	const one = apply(null, 'snapshot', { seq: 4, topics: { a: { x: 1, y: 2 } } });
	const two = apply(one, 'delta', { seq: 7, from: 4, topics: { a: { x: null, z: 3 }, b: { q: 1 } } });
	assert.deepEqual(two, { seq: 7, topics: { a: { y: 2, z: 3 }, b: { q: 1 } } });
	assert.deepEqual(one.topics.a, { x: 1, y: 2 }, 'the older state is not changed');
	assert.equal(apply(two, 'delta', { seq: 9, from: 8, topics: {} }), null, 'a gap asks for a snapshot');
	assert.equal(apply(two, 'events', { seq: 8, from: 7, items: [] }).seq, 8);
});
