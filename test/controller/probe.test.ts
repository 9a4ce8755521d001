import { expect } from 'chai';
import { createProbe, type Probe } from '../../src/controller/probe.ts';
import { type ProbeAnswer, TCP_FLAG, type TcpSegment } from '../../src/host/probe-packets.ts';
import type { HealthMonitor, HttpCheck } from '../../src/model/types.ts';
import { healthMonitor } from '../model/fixtures.ts';

const { fin, syn, rst, psh, ack } = TCP_FLAG;
const FIRST = 0xffff_fff0;
const THEIRS = 0xffff_fffe;
const probeOf = (monitor: HealthMonitor): Probe => createProbe({ monitor, port: 80, localPort: 800, firstSeq: FIRST });
const http = (check: Partial<HttpCheck> = {}) => {
  const monitor = healthMonitor('HTTP');
  return { ...monitor, http: { ...monitor.http, ...check } };
};
const segment = (flags: number, seq: number, acked: number, data = ''): ProbeAnswer => ({
  ...{ kind: 'tcp', from: 80, to: 800, flags, seq: seq >>> 0, ack: acked >>> 0 },
  data: Buffer.from(data),
});
const synAck = segment(syn | ack, THEIRS, FIRST + 1);
const textOf = (packet: object | undefined) => Buffer.from((packet as TcpSegment).data).toString();
/** An HTTP probe that has asked, and the length of its question. */
function asked(check: Partial<HttpCheck> = {}) {
  const probe = probeOf(http(check));
  const { length } = textOf(probe.received(synAck).send);
  return {
    probe,
    says: (data: string, at = 0, flags = psh | ack) =>
      probe.received(segment(flags, THEIRS + 1 + at, FIRST + 1 + length, data)),
  };
}

describe('a health probe', () => {
  describe('TCP', () => {
    it('finds well who accepts the connection, and ends it at once', () => {
      const probe = probeOf(healthMonitor('TCP'));
      expect(probe.packet).to.deep.include({ kind: 'tcp', from: 800, to: 80, flags: syn, seq: FIRST });
      const { send, finding } = probe.received(synAck);
      expect(finding).to.equal('');
      expect(send).to.deep.include({ flags: rst | ack, seq: FIRST + 1, ack: (THEIRS + 1) >>> 0 });
    });

    it('finds out who refuses it', () => {
      const probe = probeOf(healthMonitor('TCP'));
      expect(probe.received(segment(rst | ack, 0, FIRST + 1)).finding).to.equal('connection refused');
    });

    it('believes nothing that is no answer to it', () => {
      const probe = probeOf(healthMonitor('TCP'));
      expect(probe.received(segment(rst | ack, 0, FIRST + 7))).to.deep.equal({});
      expect(probe.received(segment(syn | ack, THEIRS, FIRST + 7))).to.deep.equal({});
      expect(probe.received({ kind: 'udp', from: 80, to: 800 })).to.deep.equal({});
      expect(probe.silence).to.equal('no answer in time');
    });

    it('ends a connection of before that the member still has', () => {
      const probe = probeOf(healthMonitor('TCP'));
      const { send, finding } = probe.received(segment(ack, 4711, 1234));
      expect(finding).to.equal(undefined);
      expect(send).to.deep.include({ flags: rst, seq: 1234 });
      expect(probe.packet).to.deep.include({ flags: syn, seq: FIRST });
    });
  });

  describe('HTTP', () => {
    it('asks as it is told', () => {
      const probe = probeOf(http({ method: 'HEAD', urlPath: '/a?b', version: '1.1', domainName: 'example.org' }));
      const { send, finding } = probe.received(synAck);
      expect(finding).to.equal(undefined);
      expect(send).to.deep.include({ flags: psh | ack, seq: (FIRST + 1) >>> 0, ack: (THEIRS + 1) >>> 0 });
      expect(textOf(send)).to.match(/^HEAD \/a\?b HTTP\/1\.1\r\nHost: example\.org\r\n(.+\r\n)*\r\n$/);
      // Until something is heard, the question is what is asked again.
      expect(probe.packet).to.equal(send);
      const plain = probeOf(http());
      expect(textOf(plain.received(synAck).send))
        .to.match(/^GET \/ HTTP\/1\.0\r\n/)
        .and.not.include('Host');
    });

    const codes: readonly (readonly [expected: string, code: number, finding: string])[] = [
      ['200', 200, ''],
      ['200', 404, 'HTTP status 404, not 200'],
      ['200,202', 202, ''],
      ['200,202', 201, 'HTTP status 201, not 200,202'],
      ['200-204', 203, ''],
      ['200-204', 205, 'HTTP status 205, not 200-204'],
    ];
    for (const [expectedCodes, code, finding] of codes) {
      it(`expects ${expectedCodes}: ${code} is ${finding === '' ? 'well' : 'not'}`, () => {
        const { says } = asked({ expectedCodes });
        const step = says(`HTTP/1.1 ${code} Any\r\nServer: x\r\n`);
        expect(step.finding).to.equal(finding);
        expect(step.send).to.deep.include({ flags: rst | ack });
      });
    }

    it('reads an answer that comes piece by piece, twice, and out of turn', () => {
      const { says } = asked();
      expect(says('HTTP/1')).to.deep.equal({});
      expect(says('HTTP/1')).to.deep.equal({});
      expect(says('200 OK\r\n', 9)).to.deep.equal({});
      expect(says('.1 20', 6)).to.deep.equal({});
      expect(says('0 OK\r\n', 11).finding).to.equal('');
    });

    it('asks again when the member repeats that it has accepted', () => {
      const { probe } = asked();
      expect(probe.received(synAck).send).to.deep.equal(probe.packet);
      expect(probe.received(segment(ack, THEIRS + 1, FIRST + 1))).to.deep.equal({});
    });

    const ends: readonly (readonly [what: string, finding: string, data: string, flags: number])[] = [
      ['something else', 'no HTTP answer', 'SSH-2.0-OpenSSH_9.2\r\n', psh | ack],
      ['a long line', 'no HTTP answer', 'x'.repeat(100), psh | ack],
      ['a goodbye', 'no HTTP answer', '', fin | ack],
      ['half an answer', 'no HTTP answer', 'HTTP/1.1 2', fin | ack],
      ['a reset', 'connection reset', '', rst],
    ];
    for (const [what, finding, data, flags] of ends) {
      it(`is not content with ${what}`, () => expect(asked().says(data, 0, flags).finding).to.equal(finding));
    }
  });

  it('PING: an echo is well, silence is not', () => {
    const probe = probeOf(healthMonitor('PING'));
    expect(probe.packet).to.deep.equal({ kind: 'echo', id: 800 });
    expect(probe.received({ kind: 'echo', id: 800 })).to.deep.equal({ finding: '' });
    expect(probe.silence).not.to.equal('');
  });

  it('UDP-CONNECT: silence and answers are well, a refusal is not', () => {
    const probe = probeOf(healthMonitor('UDP-CONNECT'));
    expect(probe.packet).to.deep.equal({ kind: 'udp', from: 800, to: 80 });
    expect(probe.received({ kind: 'udp', from: 80, to: 800 })).to.deep.equal({ finding: '' });
    expect(probe.received({ kind: 'refused', from: 800, to: 80 })).to.deep.equal({ finding: 'nobody listens' });
    expect(probe.silence).to.equal('');
  });

  it('is of no other kind', () => {
    expect(() => probeOf(healthMonitor('HTTPS'))).to.throw('no probe of type HTTPS');
  });
});
