// Loaded with --import into a Node child: ends it in order when the process that started it is gone, however
// that went (the channel between the two closes with it).
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
