// The next regatta; nobody has resolved the merge.
exports.handler = async () => {
<<<<<<< HEAD
  const next = { name: 'Harbour Cup', date: '2026-06-14' };
=======
  const next = { name: 'Summer Regatta', date: '2026-07-05' };
>>>>>>> summer
  return { statusCode: 200, body: JSON.stringify(next) };
};
