// socket.io with what the bare SignalR hub of the bench has: a POST goes to a user or to everyone. Arguments: its URL, and HOST:PORT of Redis for the adapter.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';

const [, , url, redis] = process.argv;
const http = createServer(answer);
const io = new Server(http, { transports: ['websocket'], serveClient: false });

if (redis) {
  const publisher = createClient({ url: `redis://${redis}` });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  io.adapter(createAdapter(publisher, subscriber));
}

io.on('connection', (socket) => {
  socket.on('Join', async (user, joined) => {
    await socket.join(['all', `user:${user}`]);
    joined();
  });
});

async function answer(request, response) {
  if (request.method === 'GET') {
    response.writeHead(request.url === '/health/ready' ? 200 : 404).end();
    return;
  }

  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = JSON.parse(Buffer.concat(chunks).toString());
  if (request.url === '/publish/all') io.to('all').emit('event', body);
  else if (request.url === '/publish/batch') for (const message of body) io.to(`user:${message.userId}`).emit('event', message);
  else io.to(`user:${request.url.slice('/publish/user/'.length)}`).emit('event', body);
  response.writeHead(202, { 'Content-Length': 0 }).end();
}

http.listen(Number(new URL(url).port), '127.0.0.1');
