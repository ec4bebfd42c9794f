// SPDX-License-Identifier: Apache-2.0
// A mail server that keeps what it gets: NUMBER.eml and NUMBER.json (its envelope) in a folder.
//   smtp.cjs PORT FOLDER KEY CERTIFICATE [implicit]
// User mailer, password secret-smtp, token secret-token; logins under TLS only. reject.* takes no mail, greylist.* not now.
const {SMTPServer} = require('smtp-server'), fs = require('fs'), path = require('path');
const [port, folder, key, certificate, mode] = process.argv.slice(2);
const refuse = (text, code) => Object.assign(new Error(text), {responseCode: code});
let count = 0;

const server = new SMTPServer({
  name: 'localhost', secure: mode === 'implicit', authMethods: ['PLAIN', 'LOGIN', 'XOAUTH2'], size: 1 << 20,
  authOptional: mode === 'open', allowInsecureAuth: false, key: fs.readFileSync(key), cert: fs.readFileSync(certificate),
  onAuth(auth, session, done) {
    // with TOKEN_API, an access token is good if that URL takes it
    if (auth.accessToken && process.env.TOKEN_API)
      return void fetch(process.env.TOKEN_API, {headers: {Authorization: 'Bearer ' + auth.accessToken}}).then(
        answer => answer.ok ? done(null, {user: auth.username}) : done(refuse('Invalid token', 535)), error => done(error));
    const good = auth.username === 'mailer' && (auth.password === 'secret-smtp' || auth.accessToken === 'secret-token');
    good ? done(null, {user: auth.username}) : done(refuse('Invalid login', 535));
  },
  onMailFrom(address, session, done) {
    /@forged\./.test(address.address) ? done(refuse('5.7.1 not your address', 550)) : done();
  },
  onRcptTo(address, session, done) {
    if (/@reject\./.test(address.address)) return done(refuse('5.1.1 no such user', 550));
    if (/@relay\./.test(address.address)) return done(refuse('5.7.1 relay access denied', 554));
    if (/@greylist\./.test(address.address)) return done(refuse('4.7.1 greylisted, try later', 451));
    done();
  },
  onData(stream, session, done) {
    const id = String(++count).padStart(5, '0'), part = path.join(folder, id + '.tmp'), file = fs.createWriteStream(part);
    stream.pipe(file);
    file.on('finish', () => {
      if (stream.sizeExceeded) return fs.unlinkSync(part), done(refuse('too big', 552));
      if (fs.readFileSync(part).includes('SPAM-SPAM-SPAM')) return fs.unlinkSync(part), done(refuse('5.7.1 looks like spam', 554));
      fs.writeFileSync(path.join(folder, id + '.json'), JSON.stringify({
        from: session.envelope.mailFrom.address, to: session.envelope.rcptTo.map(r => r.address),
        utf8: session.envelope.smtpUtf8, user: session.user, secure: session.secure, session: session.id,
        args: session.envelope.mailFrom.args}));
      fs.renameSync(part, path.join(folder, id + '.eml'));
      done(null, 'queued as ' + id);
    });
  }});
server.on('error', error => console.error(error.message));
server.listen(+port, '127.0.0.1', () => console.log('ready'));
